"""The loop on real data: sen1floods-es through every step, chesapeake for the refinement."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from concord.plugin.engine import files, pictures, rasters, report, taxonomy
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid

from . import bundled, chesapeake, measure
from .outcome import Loop, Shown
from .people import simulate
from .sample import check

WATER, NOT_WATER, DW_WATER = 2, 1, 1
CHIP = 32


def run(steps, out: Path, data: Path) -> Loop:
    """Every step of the loop on Sentinel-1 and -2 of a Spanish reservoir, then chesapeake."""
    loop = Loop(
        "Concord: the loop on real data",
        "Sen1Floods11 chip Spain_7370579 (CC-BY 4.0, contains modified Copernicus Sentinel data), "
        "Dynamic World network (Apache-2.0), Chesapeake Conservancy land cover, NAIP and NLCD, "
        "OpenAerialMap (CC-BY 4.0) with outlines by OpenStreetMap contributors (ODbL). "
        "Annotators B and C are simulated from the hand label and say so.",
    )
    (out / "real").mkdir()
    hand = _hand_label(data, out)
    scene = _scene(steps, out, data)
    _prompts(steps, out, loop, scene, hand)
    bundled.land_cover(steps, out, loop, scene, hand)
    dw_map = _dynamic_world(steps, out, loop, data, scene, hand)
    _refine(steps, out, loop, scene, dw_map, hand)
    consensus = _consensus(steps, out, loop, hand)
    _chips(steps, out, loop, scene, consensus)
    loop.layers = _layers(out, scene, hand, dw_map, consensus)
    loop.sections = _sections(out, scene, hand, dw_map, consensus)
    loop.sections.append(bundled.buildings(steps, out, loop, data))
    loop.sections.append(chesapeake.run(steps, out, loop, data))
    return loop


def _source(data: Path, *parts: str) -> str:
    path = data.joinpath(*parts)
    if not path.exists():
        raise ConcordError(f"{path} is missing; DATA must hold the folders its README names.")
    return str(path)


def _hand_label(data: Path, out: Path) -> str:
    """The hand label as class codes: -1 / 0 / 1 of the source become 0 / 1 / 2."""
    source = _source(data, "sen1floods-es", "Labels", "Spain_7370579_LabelHand.tif")
    info = rasters.info(source)
    codes = (rasters.read(source)[0].astype(int) + 1).astype(np.uint8)
    return _write_classes(out / "real" / "hand_label.tif", codes, info.grid)


def _write_classes(path: Path, codes: np.ndarray, grid: Grid) -> str:
    scheme = taxonomy.load("water2")
    rasters.write(path, codes, grid, nodata=0, colours=scheme.colours, categories=scheme.names)
    return str(path)


def _scene(steps, out: Path, data: Path) -> str:
    inputs = [
        _source(data, "sen1floods-es", "S2", "Spain_7370579_S2Hand.tif"),
        _source(data, "sen1floods-es", "S1", "Spain_7370579_S1Hand.tif"),
    ]
    results, seconds = steps.run(
        "loadscene", INPUT=inputs, DERIVED="ndvi;ndwi;mndwi",
        OUTPUT=str(out / "maps" / "scene.tif"), REPORT=str(out / "maps" / "scene.json"),
    )  # fmt: skip
    bands = files.read_json(results["REPORT"])["bands"]
    what = "Sentinel-1 and Sentinel-2 on one grid"
    steps.tell(what, "loadscene", seconds, f"{len(bands)} bands")
    return results["OUTPUT"]


def _prompts(steps, out: Path, loop: Loop, scene: str, hand: str) -> None:
    """One click in the middle of each of the largest water bodies of the hand label."""
    from scipy import ndimage

    info = rasters.info(hand)
    water = rasters.read(hand)[0] == WATER
    bodies, count = ndimage.label(water)
    sizes = np.bincount(bodies.ravel())[1:]
    chosen = [int(n) + 1 for n in np.argsort(-sizes)[:12] if sizes[n] >= 100]
    numbers = np.zeros(water.shape, np.uint8)
    features = []
    for number, body in enumerate(chosen, 1):
        inside = bodies == body
        numbers[inside] = number
        depth = ndimage.distance_transform_edt(inside)
        row, col = np.unravel_index(depth.argmax(), depth.shape)
        x, y = info.grid.xy(col + 0.5, row + 0.5)
        features.append(
            {"type": "Feature", "geometry": {"type": "Point", "coordinates": [x, y]},
             "properties": {"object": number, "label": 1}}
        )  # fmt: skip
    prompts, objects = out / "real" / "prompts.geojson", out / "real" / "water_bodies.tif"
    files.write_json(prompts, {"type": "FeatureCollection", "features": features})
    rasters.write(objects, numbers, info.grid, nodata=0)
    _, seconds = steps.run(
        "segmentprompts", IMAGE=scene, PROMPTS=str(prompts), MODEL="concord-prompt",
        BANDS="swir16;nir;green",
        OUTPUT=str(out / "maps" / "prompted.gpkg"),
    )  # fmt: skip
    found = measure.outlines(str(out / "maps" / "prompted.gpkg"), str(objects))
    loop.figures["prompt_iou"] = measure.mean(found.values())
    figure = f"mean IoU {loop.figures['prompt_iou']:.2f} over {len(found)} water bodies, 1 click"
    steps.tell("Segment prompts (concord-prompt)", "segmentprompts", seconds, figure)


def _dynamic_world(steps, out, loop, data: Path, scene: str, hand: str) -> str:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "models" / "training"))
    import wrap_dynamicworld

    source = _source(data, "models", "dynamicworld", "dynamicworld_forward_op18.onnx")
    model = out / "real" / "dynamicworld.onnx"
    wrap_dynamicworld.wrap(source, model)
    results, seconds = steps.run(
        "runmodel", INPUT=[scene], MODEL=str(model), OUTPUT=str(out / "maps" / "dynamicworld.tif"),
        REPORT=str(out / "maps" / "dynamicworld.json"),
    )  # fmt: skip
    score = measure.class_iou(results["OUTPUT"], DW_WATER, hand, WATER)
    loop.figures["dynamicworld_water_iou"] = score
    figure = f"water IoU {score:.3f} against the hand label"
    steps.tell("Dynamic World on the extent", "runmodel", seconds, figure)
    return results["OUTPUT"]


def _refine(steps, out, loop, scene: str, dw_map: str, hand: str) -> None:
    results, seconds = steps.run(
        "refinelabels", IMAGE=[scene], LABELS=dw_map, ENGINE="felzenszwalb",
        BANDS="swir16;nir;green", OUTPUT=str(out / "maps" / "refined.tif"),
        PROPOSALS=str(out / "maps" / "proposals.gpkg"), REPORT=str(out / "maps" / "refined.html"),
    )  # fmt: skip
    values = files.read_json(results["REPORT_JSON"])
    score = measure.class_iou(results["OUTPUT"], DW_WATER, hand, WATER)
    loop.figures["refined_water_iou"] = score
    before = loop.figures["dynamicworld_water_iou"]
    figure = f"{values['changed_share']:.1%} changed; water IoU {before:.3f} -> {score:.3f}"
    steps.tell("Refine the Dynamic World map", "refinelabels", seconds, figure)


def _consensus(steps, out, loop, hand: str) -> str:
    info, truth = rasters.info(hand), rasters.read(hand)[0]
    paths = [hand]
    for name in ("simulated_b", "simulated_c"):
        path = out / "real" / f"{name}.tif"
        paths.append(_write_classes(path, simulate(truth, name), info.grid))
    results, seconds = steps.run(
        "consensus", ANNOTATIONS=paths, METHOD="dawidskene", TAXONOMY="water2",
        OUTPUT=str(out / "maps" / "consensus.tif"), AGREEMENT=str(out / "maps" / "agreement.tif"),
        REPORT=str(out / "maps" / "consensus.html"),
    )  # fmt: skip
    values = files.read_json(results["REPORT_JSON"])
    loop.figures["consensus"] = {
        "mean_agreement": values["agreement_mean"],
        "fleiss_kappa": values["fleiss_kappa"],
        "simulated_b_accuracy": measure.accuracy(paths[1], hand),
        "simulated_c_accuracy": measure.accuracy(paths[2], hand),
        "annotators": {a["name"]: a["accuracy"] for a in values["annotators"]},
    }
    figure = f"agreement {values['agreement_mean']:.3f}, kappa {values['fleiss_kappa']:.2f}"
    what = "Consensus: hand label and two simulated"
    steps.tell(what, "consensus", seconds, figure)
    return results["OUTPUT"]


def _chips(steps, out, loop, scene: str, consensus: str) -> None:
    results, seconds = steps.run(
        "exportchips", IMAGERY=[scene], LABELS=consensus, CONSENSUS=consensus, CHIP_SIZE=CHIP,
        MIN_SCORE=0.6, MIN_LABELLED=0.5, SPLIT="70/15/15", SEED=1, LICENCE="CC-BY-4.0",
        TAXONOMY="water2", OUTPUT=str(out / "chips"),
    )  # fmt: skip
    loop.figures["chips"] = results["CHIPS"]
    steps.tell("Export chips", "exportchips", seconds, f"{results['CHIPS']} chips of {CHIP} px")
    check(steps, out)


def _layers(out: Path, scene: str, hand: str, dw_map: str, consensus: str) -> list:
    maps, made = out / "maps", "Made by the loop"
    water, dw = taxonomy.load("water2"), taxonomy.load("dynamicworld")
    people = out / "real"
    return [
        Shown(scene, "Scene", "scene"),
        Shown(hand, "Hand label", "classes", False, "Given", water),
        Shown(str(people / "simulated_b.tif"), "Simulated annotator B", "classes", False, "Given",
              water),
        Shown(str(people / "simulated_c.tif"), "Simulated annotator C", "classes", False, "Given",
              water),
        Shown(str(maps / "landcover.tif"), "Bundled land cover", "classes", False, made, dw),
        Shown(dw_map, "Dynamic World map", "classes", False, made, dw),
        Shown(str(maps / "refined.tif"), "Refined map", "classes", False, made, dw),
        Shown(consensus, "Consensus", "consensus", False, made, water),
        Shown(consensus, "Posterior", "posterior", False, made),
        Shown(str(maps / "proposals.gpkg"), "Refinement proposals", "proposals", False, made),
        Shown(str(maps / "prompted.gpkg"), "Prompted outlines", "outlines", True, made),
        Shown(str(out / "chips" / "splits.geojson"), "Chips by split", "chips", True, made),
    ]  # fmt: skip


def _sections(out: Path, scene: str, hand: str, dw_map: str, consensus: str) -> list:
    water, dw = taxonomy.load("water2"), taxonomy.load("dynamicworld")
    maps = (
        ("Sentinel-2, true colour", pictures.of_scene([scene], ["red", "green", "blue"])),
        ("Sentinel-1, VV VH VV", pictures.of_scene([scene], ["vv", "vh", "vv"])),
        ("hand label", pictures.of_classes(hand, water)),
        ("bundled land cover", pictures.of_classes(str(out / "maps" / "landcover.tif"), dw)),
        ("Dynamic World map", pictures.of_classes(dw_map, dw)),
        ("refined map", pictures.of_classes(str(out / "maps" / "refined.tif"), dw)),
        ("consensus", pictures.of_classes(consensus, water)),
        ("posterior", pictures.of_numbers(consensus, 30, 100, 2)),
    )
    legend = tuple((c.name, c.colour) for c in dw.classes)
    return [
        report.Section("Maps of the Spanish scene", pictures=maps),
        report.Section("Dynamic World classes", header=("class", "colour"), rows=legend),
    ]
