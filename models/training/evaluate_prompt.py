"""The held-out table of concord-prompt and its rivals, by a scripted annotator, as Markdown.

    CONCORD_DATA=... python models/training/evaluate_prompt.py [--sets ponds,...] [--model FOLDER]
        [--development] [--only NAME,...] [--most N]

The annotator clicks on the object's middle, then on the middle of the largest error; from a box
it draws the object's bounding box. GrabCut needs opencv-python-headless; without it its rows are
left out. `--development` takes the blocks that choices were made on instead of the held-out ones.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import prompt_generated
import prompt_rivals
import prompt_scenes as scenes
import prompt_split as split
from prompt_split import ROOT, concord

rasters, predict = concord("..rasters"), concord("predict")
composite, prompts = concord("composite"), concord("prompts")
CLICKS, GOAL = 10, 0.85
SHOWN = (1, 3, 5)


def annotator():
    """The scripted annotator of the tests."""
    sys.path.insert(0, str(ROOT))
    from tests.real import annotator

    return annotator


def _objects(numbers: np.ndarray, least: int, most: int) -> list:
    """Objects of a layer by area in pixels, as the annotator takes them."""
    from scipy import ndimage

    found = []
    for number, place in enumerate(ndimage.find_objects(numbers), 1):
        if place is None:
            continue
        r0, c0 = max(0, place[0].start - 4), max(0, place[1].start - 4)
        mask = numbers[r0 : place[0].stop + 4, c0 : place[1].stop + 4] == number
        if least <= mask.sum() <= most:
            found.append(annotator().Object(number, r0, c0, mask))
    return found


def _scene(folder: Path, name: str, planes: np.ndarray, names: list) -> str:
    """Planes (n, rows, cols) as a GeoTIFF with band names, on a made-up grid."""
    from concord.plugin.engine.grid import Grid

    path = folder / f"{name}.tif"
    place = Grid("EPSG:32633", (1.0, 0.0, 5e5, 0.0, -1.0, 5e6), planes.shape[2], planes.shape[1])
    rasters.write(str(path), planes, place, names=names)
    return str(path)


NIR = ("nir", "red", "green")


def buildings(folder: Path, develop: bool):
    image, numbers = scenes.uganda(split.DATA / "fair-uganda")
    part = split.DEVELOPED if develop else (slice(0, 2048), slice(split.EAST, 3072))
    planes = np.ascontiguousarray(image[part].transpose(2, 0, 1))
    path = _scene(folder, "buildings", planes, ["red", "green", "blue"])
    yield path, (), _objects(scenes.whole(numbers, part), 100, 10**6)


def ponds(folder: Path, develop: bool):
    east = slice(split.POND_COLUMNS, None)
    part = (slice(split.POND_ROWS, None), slice(0, split.POND_COLUMNS)) if develop else (
        slice(None), east)  # fmt: skip
    for date in ("20160816", "20120731") if develop else ("20180716", "20200831"):
        planes = scenes.read(split.DATA / "naip-nd" / f"m_4709963_se_14_1_{date}.tif")
        numbers = scenes.whole(scenes.ponds(planes), part)
        cut = np.ascontiguousarray(planes[(slice(None), *part)])
        path = _scene(folder, f"ponds-{date}", cut, ["red", "green", "blue", "nir"])
        yield path, NIR, _objects(numbers, 60, 6000)


def fields(folder: Path, develop: bool):
    """Fields outlined by hand on the pictures, before any answer to them was seen."""
    if develop:
        return
    outlines = json.loads((Path(__file__).parent / "fields_naip_nd.geojson").read_text())
    for date in ("20180716", "20200831"):
        shapes = [f for f in outlines["features"] if f["properties"]["date"] == date]
        source = split.DATA / "naip-nd" / f"m_4709963_se_14_1_{date}.tif"
        cut = np.ascontiguousarray(scenes.read(source)[:, :, split.POND_COLUMNS :])
        path = _scene(folder, f"fields-{date}", cut, ["red", "green", "blue", "nir"])
        numbers = scenes.outlined(source, [f["geometry"] for f in shapes])
        yield path, NIR, _objects(numbers[:, split.POND_COLUMNS :], 60, 10**6)


def meadows(folder: Path, develop: bool):
    if develop:
        return
    taken = np.load(split.DATA / "eolearn-patch" / "REFERENCE_SCENES.npy")
    cover = np.squeeze(np.load(split.DATA / "eolearn-patch" / "LULC.npy")).astype(int)
    part = (slice(None), slice(split.FIELD_COLUMNS, None))
    grown = np.where(np.isin(cover, (1, 3)), cover, 0)  # cultivated land and grassland
    numbers = scenes.whole(scenes.components(grown), part)
    for k, scene in enumerate(taken):
        planes = scene[..., [3, 2, 1, 7]].transpose(2, 0, 1)[(slice(None), *part)]
        planes = np.ascontiguousarray(planes, np.float32)
        path = _scene(folder, f"meadows-{k}", planes, ["red", "green", "blue", "nir"])
        yield path, NIR, _objects(numbers, 12, 2000)


def drawn(folder: Path, develop: bool):
    """Fields of generated scenes of seeds that were not trained on: no real land."""
    for seed in (11, 12) if develop else (1, 2, 3):
        scene = prompt_generated.scene(seed)
        planes = np.ascontiguousarray(scene.planes.transpose(2, 0, 1))
        path = _scene(folder, f"drawn-{seed}", planes, ["red", "green", "blue", "nir"])
        yield path, NIR, _objects(scene.layers[1][0], 400, 40000)[:12]


def cover(folder: Path, develop: bool):
    paths = sorted((split.DATA / "chesapeake" / "test-train_patches").glob("*.npz"))
    scene = scenes.chesapeake(paths[6 if develop else 7])[0]
    planes = np.ascontiguousarray(scene.planes.transpose(2, 0, 1))
    path = _scene(folder, "cover", planes, ["red", "green", "blue", "nir"])
    yield path, NIR, _objects(scene.layers[0][0], 150, 30000)


def floods(folder: Path, develop: bool):
    if develop:
        return
    base = split.DATA / "sen1floods-es"
    part = (slice(None), slice(split.FLOOD_COLUMNS, None))
    label = scenes.read(next((base / "Labels").glob("*.tif")))[0]
    numbers = scenes.whole(scenes.components((label == 1).astype(int), opening=1), part)
    optical = scenes.read(next((base / "S2").glob("*.tif")))[[3, 2, 1, 7]]
    radar = scenes.read(next((base / "S1").glob("*.tif"))).astype(np.float32)
    for name, planes, names, bands in (
        ("S2", optical, ["red", "green", "blue", "nir"], NIR),
        ("S1", radar, ["vv", "vh"], ("vv", "vh", "vv")),
    ):
        cut = np.ascontiguousarray(planes[(slice(None), *part)], np.float32)
        yield _scene(folder, f"floods-{name}", cut, names), bands, _objects(numbers, 60, 20000)


SETS = {
    "buildings": buildings,
    "ponds": ponds,
    "fields": fields,
    "meadows": meadows,
    "cover": cover,
    "floods": floods,
    "generated": drawn,
}


def boxed(scene, planes, provider, thing) -> float:
    """IoU of the first answer to the object's bounding box."""
    clicker = annotator()
    rows, cols = np.any(thing.mask, 1).nonzero()[0], np.any(thing.mask, 0).nonzero()[0]
    box = (
        thing.col + float(cols[0]), thing.row + float(rows[0]),
        thing.col + float(cols[-1]) + 1, thing.row + float(rows[-1]) + 1,
    )  # fmt: skip
    found = predict.answer(scene, planes, provider, 1, prompts.Prompt((), (), box))
    return clicker.overlap(found[0].mask, clicker.truth_on(found[0].place, thing)) if found else 0.0


def measured(provider, groups: list, most: int, clicks: int) -> dict:
    """{"clicks": (objects, clicks) of IoU or None, "box": (objects,)}."""
    from concord.plugin.engine.scene import Scene

    runs, boxes = [], []
    for path, bands, things in groups:
        with Scene([path]) as scene:
            planes = composite.of_scene(scene, bands)
            for thing in things[:most]:
                boxes.append(boxed(scene, planes, provider, thing))
                if not getattr(provider, "box_only", False):
                    runs.append(annotator().annotate(scene, planes, provider, thing, clicks))
    return {"clicks": np.array(runs) if runs else None, "box": np.array(boxes)}


def row(what: str, name: str, found: dict) -> str:
    """One line of the table: median / mean IoU, clicks needed."""
    cells, runs = [], found["clicks"]
    for number in SHOWN:
        if runs is None:
            cells.append("")
            continue
        values = runs[:, number - 1]
        cells.append(f"{np.median(values):.2f} / {values.mean():.2f}")
    cells.append(f"{np.median(found['box']):.2f} / {found['box'].mean():.2f}")
    if runs is None or runs.shape[1] < CLICKS:
        cells.append("")
    else:
        need = np.where((runs >= GOAL).any(1), (runs >= GOAL).argmax(1) + 1, CLICKS + 1)
        text = f"{np.median(need):.0f}" if np.median(need) <= CLICKS else f"> {CLICKS}"
        cells.append(f"{text} ({100 * (need <= 5).mean():.0f} %)")
    return f"| {what} ({len(found['box'])}) | {name} | " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--model", default=str(ROOT / "models" / "concord-prompt"))
    parser.add_argument("--development", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--most", type=int, default=10**6, help="objects of one picture")
    values = parser.parse_args()
    providers = [("concord-prompt", predict.provider_of(values.model)),
                 ("regions", predict.provider_of("regions")),
                 *((rival.id, rival()) for rival in prompt_rivals.ALL)]  # fmt: skip
    wanted = [name for name in values.only.split(",") if name]
    print("Median / mean IoU after 1, 3 and 5 clicks and from a box; clicks to 0.85 (share of "
          "objects that need at most 5).\n")  # fmt: skip
    print("| objects (n) | provider | 1 click | 3 clicks | 5 clicks | box | clicks to 0.85 |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for what in values.sets.split(","):
            groups = list(SETS[what](Path(folder), values.development))
            for name, provider in providers:
                if not groups or (wanted and name not in wanted):
                    continue
                began = time.time()
                clicks = CLICKS if name in ("concord-prompt", "regions") else max(SHOWN)
                try:
                    found = measured(provider, groups, values.most, clicks)
                except ModuleNotFoundError as absent:
                    print(f"{name} left out: {absent}", file=sys.stderr)
                    continue
                print(row(what, name, found), flush=True)
                print(json.dumps([what, name, round(time.time() - began)]), file=sys.stderr)


if __name__ == "__main__":
    main()
