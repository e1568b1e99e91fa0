"""A checkpoint of `segment-anything` to an ONNX encoder and decoder, checked against torch.

    python sam_export.py CHECKPOINT FOLDER [--picture FILE]
    python sam_export.py random:vit_b FOLDER         random weights of the true shapes, for tests
    python sam_export.py --answer CASES.npz OUT.npz --seed N       torch's answers, for tests

Runs in an environment of its own (requirements-sam.txt), never inside QGIS. The checkpoint is read
with ``weights_only``, so that it cannot run code.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import re
import sys
import types
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
LOGITS, OVERLAP = 1e-4, 0.999  # what is allowed between torch and ONNX
LARGEST = 0.999e9 * 2  # bytes of one ONNX file; a larger encoder keeps its weights beside it
SHAPES = ((1024, 700), (480, 1024), (768, 768))  # pictures of three aspect ratios
POINTS = (((0.4, 0.55),), (1,))


def load_package() -> None:
    """Make `segment_anything` importable without its own __init__, which wants torchvision."""
    found = importlib.util.find_spec("segment_anything")
    if found is None:
        sys.exit("segment-anything is not installed; pip install --no-deps segment-anything.")
    package = types.ModuleType("segment_anything")
    package.__path__ = list(found.submodule_search_locations)
    sys.modules["segment_anything"] = package
    from PIL import Image

    # The two functions the predictor takes from torchvision; on PIL pictures they are just these.
    functional = types.ModuleType("torchvision.transforms.functional")
    functional.to_pil_image = Image.fromarray
    functional.resize = lambda picture, size: picture.resize(size[::-1], Image.BILINEAR)
    for name in ("torchvision", "torchvision.transforms"):
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["torchvision.transforms.functional"] = functional


def check_name(path: Path) -> str:
    """Refuse a file whose contents do not match the hash prefix in its name; the SHA-256."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    prefix = re.search(r"_([0-9a-f]{6,64})\.pth$", path.name)
    if prefix and not digest.hexdigest().startswith(prefix.group(1)):
        sys.exit(
            f"{path.name} does not have the hash {prefix.group(1)} that its name gives; it is "
            "damaged or another file, get it again."
        )
    return digest.hexdigest()


def kind_of(weights: dict) -> str:
    """vit_b, vit_l or vit_h, from the width of the encoder."""
    try:
        width = weights["image_encoder.pos_embed"].shape[-1]
        return {768: "vit_b", 1024: "vit_l", 1280: "vit_h"}[width]
    except (KeyError, AttributeError, IndexError):
        sys.exit(
            "This checkpoint is no original segment-anything model (ViT-B, L or H); convert it "
            "to an ONNX encoder and decoder with its own tools."
        )


def load(text: str, seed: int = 0):
    """(model, kind, SHA-256) of a checkpoint, or random weights for random:KIND."""
    from segment_anything.build_sam import sam_model_registry

    if text.startswith("random:"):
        torch.manual_seed(seed)
        kind = text.split(":")[1]
        return sam_model_registry[kind]().eval(), kind, f"random-{seed}"
    path = Path(text)
    if not path.is_file():
        sys.exit(f"{path} does not exist; choose a .pth file.")
    digest = check_name(path)
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        line = str(error).strip().splitlines()[0][:160]
        sys.exit(f"{path.name} cannot be read as plain weights ({line}); it is not loaded.")
    kind = kind_of(weights if isinstance(weights, dict) else {})
    model = sam_model_registry[kind]().eval()
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        line = str(error).strip().splitlines()[0][:160]
        sys.exit(f"{path.name} is no original segment-anything model ({line}).")
    return model, kind, digest


class Decoder(torch.nn.Module):
    """The package's ONNX decoder, cut at the low-resolution masks: what follows is numpy's."""

    def __init__(self, model):
        super().__init__()
        from segment_anything.utils.onnx import SamOnnxModel

        self.whole = SamOnnxModel(model, return_single_mask=False)

    def forward(self, image_embeddings, point_coords, point_labels, mask_input, has_mask_input):
        sparse = self.whole._embed_points(point_coords, point_labels)
        dense = self.whole._embed_masks(mask_input, has_mask_input)
        return self.whole.model.mask_decoder.predict_masks(
            image_embeddings=image_embeddings,
            image_pe=self.whole.model.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
        )


def export(model, folder: Path, name: str, card: dict) -> tuple:
    """Write NAME.encoder.onnx and NAME.decoder.onnx; both paths."""
    import onnx

    folder.mkdir(parents=True, exist_ok=True)
    encoder, decoder = folder / f"{name}.encoder.onnx", folder / f"{name}.decoder.onnx"
    size = model.image_encoder.img_size
    channels, side = model.prompt_encoder.embed_dim, model.prompt_encoder.image_embedding_size[0]
    with torch.no_grad():
        torch.onnx.export(
            model.image_encoder, torch.zeros(1, 3, size, size), str(encoder), dynamo=False,
            input_names=["images"], output_names=["image_embeddings"], opset_version=17,
        )  # fmt: skip
        example = (
            torch.zeros(1, channels, side, side),
            torch.zeros(1, 2, 2),
            torch.tensor([[1.0, -1.0]]),
            torch.zeros(1, 1, 4 * side, 4 * side),
            torch.zeros(1),
        )
        torch.onnx.export(
            Decoder(model), example, str(decoder), dynamo=False, opset_version=17,
            input_names=["image_embeddings", "point_coords", "point_labels", "mask_input",
                         "has_mask_input"],
            output_names=["low_res_masks", "iou_predictions"],
            dynamic_axes={"point_coords": {1: "points"}, "point_labels": {1: "points"}},
        )  # fmt: skip
    if not encoder.stat().st_size > LARGEST:  # beyond, onnx keeps the weights in files beside it
        whole = onnx.load(str(encoder))
        entry = whole.metadata_props.add()
        entry.key, entry.value = "concord:prompt", json.dumps(card)
        onnx.save(whole, str(encoder))
    return encoder, decoder


def engine():
    """The plugin's own engine, which does the numpy part; imported from wherever it is."""
    package = ROOT.name
    sys.path.insert(0, os.environ.get("CONCORD_IMPORT", str(ROOT.parent)))
    if os.environ.get("CONCORD_IMPORT"):
        package = "concord"
    return (
        importlib.import_module(f"{package}.plugin.engine.segment.pair"),
        importlib.import_module(f"{package}.plugin.engine.segment.sam"),
        importlib.import_module(f"{package}.plugin.engine.segment.prompts"),
    )


def predictor_of(model):
    """The package's own predictor."""
    from segment_anything.predictor import SamPredictor

    return SamPredictor(model)


def verify(model, encoder: Path, picture: np.ndarray) -> dict:
    """Largest difference of logits and smallest overlap of masks on three aspect ratios."""
    pairs, sam, prompts = engine()
    provider = sam.SamPrompter(pairs.find(str(encoder)))
    predictor = predictor_of(model)
    worst, overlap = 0.0, 1.0
    for rows, cols in SHAPES:
        image = np.ascontiguousarray(
            np.resize(picture, (max(rows, picture.shape[0]), max(cols, picture.shape[1]), 3))[
                :rows, :cols
            ]
        )
        spots = np.array([(x * cols, y * rows) for x, y in POINTS[0]])
        predictor.set_image(image)
        ratio = np.array(predictor.input_size[::-1]) / (cols, rows)
        masks, scores, low = predictor.predict(spots - 0.5 / ratio, np.array(POINTS[1]))
        encoding = provider.encode(image, np.ones((rows, cols), bool))
        found = provider.predict(encoding, prompts.Prompt(tuple(map(tuple, spots)), POINTS[1]))
        for rank, index in enumerate(np.argsort(-scores, kind="stable")):
            candidate = found[rank]
            scale = max(1.0, float(np.abs(low[index]).max()))
            worst = max(worst, float(np.abs(candidate.logits - low[index]).max()) / scale)
            union = (candidate.mask | masks[index]).sum()
            both = (candidate.mask & masks[index]).sum()
            overlap = min(overlap, float(both / union) if union else 1.0)
    return {"logits": worst, "iou": overlap}


def answers(model, cases: Path, target: Path) -> None:
    """Torch's answers for pictures and points that a test wrote."""
    predictor = predictor_of(model)
    kept, given = {}, np.load(cases)
    for name in sorted({key.split("/")[0] for key in given.files}):
        image, points = given[f"{name}/image"], given[f"{name}/points"]
        predictor.set_image(image)
        ratio = np.array(predictor.input_size[::-1]) / image.shape[1::-1]
        labels = np.ones(len(points), int)
        masks, scores, low = predictor.predict(points - 0.5 / ratio, labels)
        kept.update({f"{name}/masks": masks, f"{name}/scores": scores, f"{name}/low": low})
        again, again_scores, again_low = predictor.predict(
            points - 0.5 / ratio, labels, mask_input=low[np.argmax(scores)][None]
        )
        kept.update({f"{name}/masks2": again, f"{name}/low2": again_low,
                     f"{name}/scores2": again_scores})  # fmt: skip
    np.savez(target, **kept)


def picture_of(path: str | None) -> np.ndarray:
    """A real picture to check on: the given one, else the pattern of the plugin's own icon."""
    from PIL import Image

    if path:
        return np.asarray(Image.open(path).convert("RGB"))
    rows, cols = np.mgrid[:1024, :1024]
    waves = [np.sin(rows / a) + np.cos(cols / b) for a, b in ((37, 53), (91, 23), (17, 71))]
    noise = np.random.default_rng(0).normal(0, 0.1, (1024, 1024, 3))
    return np.clip((np.stack(waves, -1) + noise) * 60 + 128, 0, 255).astype(np.uint8)


def main(arguments: list) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint")
    parser.add_argument("folder", nargs="?", default="")
    parser.add_argument("--picture", help="a picture to check on")
    parser.add_argument("--answer", nargs=2, metavar=("CASES", "OUT"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    torch.set_num_threads(int(os.environ.get("CONCORD_THREADS", "1")))
    load_package()
    print("Reading the checkpoint", flush=True)
    model, kind, digest = load(options.checkpoint, options.seed)
    if options.folder:
        name = Path(options.checkpoint).stem.replace(":", "-")
        card = {"size": model.image_encoder.img_size, "resize": "longest", "scale": 1.0,
                "mean": model.pixel_mean.ravel().tolist(), "std": model.pixel_std.ravel().tolist(),
                "title": name, "kind": kind, "checkpoint_sha256": digest}  # fmt: skip
        print("Writing ONNX", flush=True)
        encoder, _ = export(model, Path(options.folder), name, card)
        print("Checking against torch", flush=True)
        found = verify(model, encoder, picture_of(options.picture))
        print(json.dumps(found), flush=True)
        if found["logits"] > LOGITS or found["iou"] < OVERLAP:
            for path in Path(options.folder).glob(f"{name}.*.onnx"):
                path.unlink()
            sys.exit(f"The ONNX pair does not say what torch says ({found}); it was removed.")
    if options.answer:
        answers(model, Path(options.answer[0]), Path(options.answer[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
