"""NLCD (30 m) refined against NAIP (1 m), scored against the 1 m land cover, chip by chip."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from concord.plugin.engine import files, pictures, rasters, report, taxonomy
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid

ENGINES = ("auto", "guided", "fused", "mode", "slic", "felzenszwalb", "watershed")
SHOWN = 3  # the chip whose pictures the report shows
# NLCD codes in the classes of the 1 m map; roads are part of impervious here.
NLCD = {
    1: (11,),
    2: (41, 42, 43, 90),
    3: (12, 21, 51, 52, 71, 72, 73, 74, 81, 82, 95),
    4: (31,),
    5: (22, 23, 24),
}
LAND_COVER = {1: (1,), 2: (2,), 3: (3,), 4: (4,), 5: (5, 6)}


def _recode(values: np.ndarray, groups: dict) -> np.ndarray:
    table = np.zeros(256, np.uint8)
    for code, members in groups.items():
        table[list(members)] = code
    return table[values.astype(int)]


def _prepare(data: Path, out: Path) -> list:
    """[(name, image, NLCD, land cover)] as GeoTIFF. The files have no georeference, only offsets
    in their tile, so the chips lie rightly to each other at a nominal place in UTM 17N."""
    folder = data / "chesapeake"
    index = folder / "test_extended-train_patches.csv"
    if not index.exists():
        raise ConcordError(f"{index} is missing; DATA must hold the folders its README names.")
    with open(index, encoding="utf-8") as rows:
        offsets = {
            Path(r["patch_fn"]).name: (int(r["x_coord"]), int(r["y_coord"]))
            for r in csv.DictReader(rows)
        }
    made = []
    for path in sorted((folder / "test-train_patches").glob("*.npz")):
        values = np.load(path, allow_pickle=False)["arr_0"][0]
        x, y = offsets[path.name]
        grid = Grid("EPSG:26917", (1.0, 0.0, 7e5 + x, 0.0, -1.0, 4.1e6 - y), *values.shape[:0:-1])
        stem = out / "real" / f"chip_{len(made)}"
        names = ["red", "green", "blue", "nir"]
        image, nlcd, cover = (f"{stem}_{part}.tif" for part in ("naip", "nlcd", "cover"))
        rasters.write(image, values[:4].round().astype(np.uint8), grid, names=names,
                      units=["DN"] * 4)  # fmt: skip
        scheme = taxonomy.load("chesapeake")
        for target, codes in (
            (nlcd, _recode(values[9], NLCD)),
            (cover, _recode(values[8], LAND_COVER)),
        ):
            rasters.write(target, codes, grid, nodata=0, colours=scheme.colours,
                          categories=scheme.names)  # fmt: skip
        made.append((path.stem, image, nlcd, cover))
    return made


def _pool(qualities: list) -> dict:
    """Figures over all pixels of all chips."""
    total = sum(q["pixels"] for q in qualities)
    right = sum(q["accuracy_before"] * q["pixels"] for q in qualities)
    broken = sum(q["damaged_share"] * q["accuracy_before"] * q["pixels"] for q in qualities)
    mended = sum(q["corrected_share"] * (1 - q["accuracy_before"]) * q["pixels"] for q in qualities)
    return {
        "pixels": total,
        "accuracy_before": right / total,
        "accuracy_after": (right - broken + mended) / total,
        "corrected_share": mended / (total - right),
        "damaged_share": broken / right,
    }


def run(steps, out: Path, loop, data: Path) -> report.Section:
    """Refine every chip with every engine; returns the section of the report."""
    chips = _prepare(data, out)
    table = {}
    for engine in ENGINES:
        qualities, seconds = [], 0.0
        for number, (_, image, nlcd, cover) in enumerate(chips):
            target = out / "maps" / f"chip_{number}_{engine}"
            results, took = steps.run(
                # The bundled aerial model was trained on these very chips; asking it would flatter.
                "refinelabels", IMAGE=[image], LABELS=nlcd, ENGINE=engine, MODEL="none",
                REFERENCE=cover,
                TAXONOMY="chesapeake", OUTPUT=f"{target}.tif", REPORT=f"{target}.html",
            )  # fmt: skip
            qualities.append(files.read_json(results["REPORT_JSON"])["quality"])
            seconds += took
        table[engine] = _pool(qualities)
        pooled = table[engine]
        figure = (
            f"{pooled['accuracy_before']:.1%} -> {pooled['accuracy_after']:.1%} right; "
            f"{pooled['corrected_share']:.1%} of wrong corrected, "
            f"{pooled['damaged_share']:.1%} of right broken"
        )
        what = f"NLCD refined against NAIP, {engine}"
        steps.tell(what, "refinelabels", seconds, figure)
    loop.figures["chesapeake"] = table
    rows = tuple((engine, *list(values.values())[1:]) for engine, values in table.items())
    scheme = taxonomy.load("chesapeake")
    _, image, nlcd, cover = chips[SHOWN]
    shown = (
        ("NAIP", pictures.of_scene([image], ["red", "green", "blue"])),
        ("NLCD", pictures.of_classes(nlcd, scheme)),
        ("refined (felzenszwalb)",
         pictures.of_classes(str(out / "maps" / f"chip_{SHOWN}_felzenszwalb.tif"), scheme)),
        ("1 m land cover", pictures.of_classes(cover, scheme)),
    )  # fmt: skip
    return report.Section(
        "Chesapeake: NLCD refined, 8 chips, all pixels pooled",
        "Felzenszwalb's scale was tuned on chips 0 to 3; all other settings are defaults.",
        ("engine", "right before", "right after", "wrong corrected", "right broken"),
        rows,
        shown,
    )
