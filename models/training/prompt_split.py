"""Which part of every scene trains concord-prompt, and the scenes themselves, kept on disk.

Held out, seen by no training and no choice:
- fair-uganda: mosaic columns from 2048 (tiles x 1238456 to 1238459); buildings across the line
  are dropped on both sides,
- naip-nd: the dates 2018 and 2020, and columns from 622 of every date,
- chesapeake: chip 7; eolearn: columns from 60; sen1floods: columns from 342.

For choices (development): fair-uganda columns 1600 to 2047 of rows from 1024, naip-nd rows from
540 left of column 622, chesapeake chip 6.
"""

from __future__ import annotations

import importlib.util
import os
import pickle
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
import prompt_collage
import prompt_generated
import prompt_waters
from prompt_scenes import (
    Scene,
    bands,
    chesapeake,
    components,
    ponds,
    read,
    regions,
    relief,
    stretched,
    uganda,
    whole,
)  # fmt: skip

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("CONCORD_DATA", ROOT / "../shared/data"))
CACHE = ROOT / ".build" / "prompt-scenes"
EAST, DEVELOPED = 2048, (slice(1024, 2048), slice(1600, 2048))  # of the fair-uganda mosaic
POND_COLUMNS, POND_ROWS = 622, 540
POND_PART = (slice(0, POND_ROWS), slice(0, POND_COLUMNS))  # of naip-nd, for training
LASTING = (400, 1500, 4000)  # Felzenszwalb's scales for planes of all dates
POND_DATES = ("20090818", "20100629", "20120731", "20140720", "20160816")
FIELD_COLUMNS, FLOOD_COLUMNS = 60, 342
GENERATED, COLLAGES, ALIKE, WATERS = 200, 100, 60, 80
RGB, NRG = (0, 1, 2), (3, 0, 1)


def concord(module: str):
    """A module of the plugin's `engine.segment`, whatever the plugin's folder is called."""
    if "concord" not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            "concord", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
        )
        package = importlib.util.module_from_spec(spec)
        sys.modules["concord"] = package
        spec.loader.exec_module(package)
    name = module.lstrip(".")
    inside = "" if module.startswith("..") else ".segment"
    return importlib.import_module(f"concord.plugin.engine{inside}.{name}")


def _uganda() -> list:
    image, numbers = uganda(DATA / "fair-uganda")
    parts = {
        "west": (slice(0, 2048), slice(0, 1600)),
        "middle": (slice(0, 1024), slice(1600, EAST)),
    }
    found = []
    for name, part in parts.items():
        picture = np.ascontiguousarray(image[part])
        coarse = picture[::2, ::2]
        layers = [(whole(numbers, part), 3.0)]
        for layer, weight in regions(coarse, (150, 500, 1500), 0.35):
            layers.append((layer.repeat(2, 0).repeat(2, 1), weight))
        share = 9.0 if name == "west" else 3.0
        found.append(Scene(f"uganda {name}", picture, layers, (RGB,), (0.3, 1.3), share))
    return found


def _ponds(date: str) -> list:
    planes = read(DATA / "naip-nd" / f"m_4709963_se_14_1_{date}.tif")
    picture = stretched(planes)[POND_PART]
    layers = [(whole(ponds(planes), POND_PART), 3.0), *regions(picture[..., [3, 0, 1]], weight=0.5)]
    layers += _lasting()
    return [Scene(f"naip {date}", picture, layers, (NRG, RGB, (3, 3, 3)), (0.8, 3.0), 1.4)]


@lru_cache(maxsize=1)
def _lasting() -> list:
    """Regions that hold through all training dates of naip-nd: fields rather than their moods."""
    files = [DATA / "naip-nd" / f"m_4709963_se_14_1_{date}.tif" for date in POND_DATES]
    stack = np.concatenate([stretched(read(path))[POND_PART] for path in files], -1)
    return regions(stack, LASTING, 2.0)


def _chips() -> list:
    folder = DATA / "chesapeake" / "test-train_patches"
    paths = sorted(folder.glob("*.npz"))[:6]
    return [scene for path in paths for scene in chesapeake(path)]


def _lulc() -> list:
    scenes = np.load(DATA / "eolearn-patch" / "REFERENCE_SCENES.npy")
    cover = np.squeeze(np.load(DATA / "eolearn-patch" / "LULC.npy")).astype(int)
    part = (slice(None), slice(0, FIELD_COLUMNS))
    numbers = whole(components(cover), part)
    found = []
    for k, scene in enumerate(scenes):
        planes = stretched(scene[..., [3, 2, 1, 7, 11, 12, 5, 8]].transpose(2, 0, 1))[part]
        layers = [(numbers, 1.0), *regions(planes[..., [3, 0, 1]], (40, 120), 1.0)]
        found.append(Scene(f"eolearn {k}", planes, layers, (RGB, NRG, (4, 3, 0)), (2.0, 5.0), 0.3))
    return found


def _floods() -> list:
    folder = DATA / "sen1floods-es"
    part = (slice(None), slice(0, FLOOD_COLUMNS))
    label = read(next((folder / "Labels").glob("*.tif")))[0].astype(int) + 1  # 0 = no data
    numbers = whole(components(label, opening=1), part)
    optical = read(next((folder / "S2").glob("*.tif")))[[3, 2, 1, 7, 11, 12]]
    radar = read(next((folder / "S1").glob("*.tif"))).astype(np.float32)
    radar = np.stack([*radar, radar[0] - radar[1]])
    found = []
    for name, planes, composites in (
        ("S2", optical, (RGB, NRG, (4, 3, 0))),
        ("S1", radar, ((0, 1, 2), (0, 0, 0), (1, 1, 1))),
    ):
        picture = stretched(planes)[part]
        layers = [(numbers, 1.0), *regions(picture[..., list(composites[0])], (150, 600, 2000))]
        found.append(Scene(f"floods {name}", picture, layers, composites, (0.8, 2.5), 1.5))
    return found


def _coast() -> list:
    folder = DATA / "rcr-nc" / "sentinel-2"
    planes = bands([p for n in (4, 3, 2, 8) for p in folder.glob(f"*B{n:02d}.tiff")])
    found = []
    for row, col in ((0, 0), (1100, 1300)):
        picture = stretched(planes[:, row : row + 1100, col : col + 1300])
        layers = regions(picture[..., [3, 0, 1]], (100, 400, 1500))
        found.append(Scene(f"rcr {row}", picture, layers, (RGB, NRG), (0.6, 2.5), 1.2))
    return found


def _major() -> list:
    folder = next((DATA / "majortom-199U").iterdir())
    planes = bands([folder / f"B{n}.tif" for n in ("04", "03", "02", "08", "11", "12")])
    picture = stretched(planes)
    layers = [(prompt_waters.rivers_of(planes[1], planes[4]), 2.0)]
    layers += regions(picture[..., [3, 0, 1]], (100, 400, 1500))
    return [Scene("majortom", picture, layers, (RGB, NRG, (4, 3, 0)), (0.6, 2.5), 1.2)]


def _dates() -> list:
    found = []
    for kind, names in (("s2a", ("4", "3", "2", "8", "11")), ("s1", ("VV", "VH"))):
        for folder in sorted((DATA / "ssl4eo-s12" / kind / "0000200").iterdir()):
            files = [folder / (f"B{n}.tif" if kind == "s2a" else f"{n}.tif") for n in names]
            planes = bands(files)
            if kind == "s1":
                planes = np.stack([*planes, planes[0] - planes[1]])
            picture = stretched(planes)
            sights = (RGB, NRG) if kind == "s2a" else (RGB, (0, 0, 0))
            layers = regions(picture[..., list(sights[-1])], (100, 400, 1200))
            found.append(Scene(f"ssl4eo {folder.name}", picture, layers, sights, (0.9, 3.0), 0.4))
    return found


def _aerial() -> list:
    found = []
    folder = DATA / "unlabelled" / "aerial"
    for path in [*sorted(folder.iterdir()), DATA / "neon-osbs" / "OSBS_029.tif"]:
        if path.suffix.lower() in (".tif", ".png", ".jpg"):
            picture = np.ascontiguousarray(read(path)[:3].transpose(1, 2, 0))
            layers = regions(picture, (150, 500, 1500, 4000))
            found.append(Scene(path.stem, picture, layers, (RGB,), (0.6, 1.8), 0.5))
    return found


def _pictures() -> list:
    found = _aerial()
    for path in sorted((DATA / "unlabelled" / "hydro").glob("*.tif")):
        picture = stretched(read(path)[[3, 2, 1, 7, 10, 11]])
        layers = regions(picture[..., [3, 0, 1]], (100, 400, 1200))
        found.append(Scene(path.stem, picture, layers, (RGB, NRG), (0.9, 3.0), 0.15))
    return found


def _relief() -> list:
    return [relief(DATA / "elevation")]


def _drawn(group: int) -> list:
    return [prompt_generated.scene(7000 + group * 10 + k) for k in range(10)]


def _alike() -> list:
    """Countryside where neighbours grow the same: only a track tells their fields apart."""
    return [prompt_generated.scene(8000 + k, 0.6) for k in range(ALIKE)]


def _waters(group: int) -> list:
    return [prompt_waters.scene(6000 + group * 10 + k) for k in range(10)]


def _collages() -> list:
    """Training roofs of fair-uganda on its own ground and on that of other aerial pictures."""
    own = [(scene.planes, scene.layers[0][0]) for scene in _uganda()]
    bank = [roof for picture, numbers in own for roof in prompt_collage.roofs(picture, numbers)]
    others = [
        (scene.planes[..., :3], np.zeros(scene.planes.shape[:2], np.int32))
        for scene in (*_aerial(), *(_drawn(0)[:4]), *(_chips()[::4]))
    ]
    grounds = own * 4 + others
    return [prompt_collage.scene(9000 + k, bank, grounds) for k in range(COLLAGES)]


JOBS = {
    "uganda": _uganda, "chips": _chips, "lulc": _lulc, "floods": _floods, "coast": _coast,
    "major": _major, "dates": _dates, "pictures": _pictures, "relief": _relief,
    "collages": _collages, "alike": _alike,
    **{f"ponds-{date}": (lambda date=date: _ponds(date)) for date in POND_DATES},
    **{f"generated-{k}": (lambda k=k: _drawn(k)) for k in range(GENERATED // 10)},
    **{f"waters-{k}": (lambda k=k: _waters(k)) for k in range(WATERS // 10)},
}  # fmt: skip


def make(name: str) -> str:
    """Prepare one group of scenes unless it lies in the cache."""
    path = CACHE / f"{name}.pickle"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        partial.write_bytes(pickle.dumps(JOBS[name](), protocol=4))
        partial.replace(path)
    return name


def training(processes: int = 1) -> list:
    """All scenes to train on."""
    with ProcessPoolExecutor(processes) as pool:
        for name in pool.map(make, JOBS):
            print(f"scenes: {name}", flush=True)
    found = []
    for name in JOBS:
        found += pickle.loads((CACHE / f"{name}.pickle").read_bytes())
    for scene in found:
        if scene.name.startswith("generated"):
            scene.weight = 18.0 / GENERATED if int(scene.name.split()[1]) < 8000 else 8.0 / ALIKE
        if scene.name.startswith("collage"):
            scene.weight = 14.0 / COLLAGES
        if scene.name.startswith("waters"):
            scene.weight = 9.0 / WATERS
        if not scene.name.startswith("uganda"):  # small pictures are shown much enlarged
            scene.zoom = (scene.zoom[0], scene.zoom[1] * 1.8)
    return found


if __name__ == "__main__":
    for entry in training(2):
        counts = [len(np.unique(layer)) - 1 for layer, _ in entry.layers]
        print(entry.name, entry.planes.shape, counts)
