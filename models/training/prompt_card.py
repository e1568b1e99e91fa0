"""The STAC MLM items beside concord-prompt's two files; card.md says the rest in words."""

from __future__ import annotations

import json
from pathlib import Path

import model_card
import prompt_net

TITLES = {"encoder": "Concord prompt, encoder", "decoder": "Concord prompt, decoder"}
DESCRIPTION = (
    "Outlines what is clicked on or boxed in imagery from above, any three planes; half of a pair "
    "in the ONNX contract of the segment-anything package. Held-out figures, training data with "
    "credits, and limits are in card.md."
)


def item(half: str) -> dict:
    """The item of the encoder or of the decoder."""
    side = 512 // prompt_net.STRIDE
    picture, cells = [1, 3, 512, 512], [1, prompt_net.EMBEDDING, side, side]
    shapes = {"encoder": (picture, cells), "decoder": (cells, [1, prompt_net.MASKS, 256, 256])}
    source, result = shapes[half]
    properties = {
        "title": TITLES[half],
        "description": DESCRIPTION,
        "license": "CC-BY-SA-4.0",
        "bands": [{"name": f"plane {k}"} for k in (1, 2, 3)],
        "mlm:name": f"concord-prompt-{half}",
        "mlm:architecture": "Residual network with top-down path; U-Net over prompt maps",
        "mlm:tasks": ["segmentation"],
        "mlm:framework": "ONNX",
        "mlm:framework_version": model_card.ONNX_RELEASE[17],
        "mlm:accelerator": "amd64",
        "mlm:accelerator_constrained": False,
        "mlm:input": [
            {
                "name": "images" if half == "encoder" else "image_embeddings",
                "bands": [f"plane {k}" for k in (1, 2, 3)] if half == "encoder" else [],
                "input": {"shape": source, "dim_order": ["batch", "channel", "height", "width"],
                          "data_type": "float32"},
                "pre_processing_function": None,
            }
        ],
        "mlm:output": [
            {
                "name": "image_embeddings" if half == "encoder" else "low_res_masks",
                "tasks": ["segmentation"],
                "result": {"shape": result, "dim_order": ["batch", "channel", "height", "width"],
                           "data_type": "float32"},
            }
        ],
        "mlm:hyperparameters": {"mean": [prompt_net.MEAN] * 3, "std": [prompt_net.STD] * 3},
    }  # fmt: skip
    return model_card.item(
        f"concord-prompt-{half}", properties, model_card.onnx_asset(half, TITLES[half])
    )


def write(folder: Path) -> None:
    """<half>.mlm.json beside each file, with its size and checksum."""
    for half in TITLES:
        content = (folder / f"{half}.onnx").read_bytes()
        text = json.dumps(model_card.sidecar(item(half), content), indent=1, ensure_ascii=False)
        partial = folder / f".{half}.part"
        partial.write_text(text + "\n", encoding="utf-8")
        partial.replace(folder / f"{half}.mlm.json")


if __name__ == "__main__":
    write(Path(__file__).resolve().parents[2] / "models" / "concord-prompt")
