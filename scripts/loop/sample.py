"""The loop on the synthetic sample scene."""

from __future__ import annotations

from pathlib import Path

from concord.plugin.engine import files, pictures, report, taxonomy

from . import measure
from .outcome import Loop, Shown

SEED = 1
CHIP = 64
PEOPLE = ("anna", "ben", "cleo")


def run(steps, out: Path, size: int) -> Loop:
    """Every step of the loop; returns what the outcome shows."""
    loop = Loop(
        "Concord: the loop on the sample scene",
        "Everything on this page is synthetic: Concord generated the scene itself (seed 1).",
    )
    paths, scene = _scene(steps, out, size)
    _prompts(steps, out, loop, paths, scene)
    _model(steps, out, loop, paths, scene)
    _refine(steps, out, loop, paths, scene)
    consensus = _consensus(steps, out, loop, paths)
    _chips(steps, out, loop, scene, consensus)
    loop.layers = _layers(out, paths, scene, consensus)
    loop.sections = _sections(paths, scene, out, consensus)
    return loop


def _scene(steps, out: Path, size: int) -> tuple:
    made, seconds = steps.run("samplescene", SEED=SEED, SIZE=size, OUTPUT=str(out / "sample"))
    steps.tell("Make a synthetic place", "samplescene", seconds, f"{size} x {size} pixels of 10 m")
    paths = {k[5:].lower(): v for k, v in made.items() if k.startswith("FILE_")}
    results, seconds = steps.run(
        "loadscene", INPUT=[str(out / "sample" / "imagery")], DERIVED="ndvi;ndwi",
        OUTPUT=str(out / "maps" / "scene.tif"), REPORT=str(out / "maps" / "scene.json"),
    )  # fmt: skip
    bands = files.read_json(results["REPORT"])["bands"]
    steps.tell("Build the scene on one grid", "loadscene", seconds, f"{len(bands)} bands")
    return paths, results["OUTPUT"]


def _prompts(steps, out: Path, loop: Loop, paths: dict, scene: str) -> None:
    _, seconds = steps.run(
        "segmentprompts", IMAGE=scene, PROMPTS=paths["prompts"], MODEL="concord-prompt",
        OUTPUT=str(out / "maps" / "prompted.gpkg"),
    )  # fmt: skip
    found = measure.outlines(str(out / "maps" / "prompted.gpkg"), paths["objects"])
    loop.figures["prompt_iou"] = measure.mean(found.values())
    figure = f"mean IoU {loop.figures['prompt_iou']:.2f} over {len(found)} objects"
    steps.tell("Segment prompts (concord-prompt)", "segmentprompts", seconds, figure)


def _model(steps, out: Path, loop: Loop, paths: dict, scene: str) -> None:
    results, seconds = steps.run(
        "runmodel", INPUT=[scene], MODEL="concord-spectral",
        OUTPUT=str(out / "maps" / "model.tif"),
        PROBABILITIES=str(out / "maps" / "probabilities.tif"),
        REPORT=str(out / "maps" / "model.json"),
    )  # fmt: skip
    loop.figures["model_accuracy"] = measure.accuracy(results["OUTPUT"], paths["truth"])
    figure = f"{loop.figures['model_accuracy']:.1%} of pixels right"
    steps.tell("Run the bundled model on the extent", "runmodel", seconds, figure)


def _refine(steps, out: Path, loop: Loop, paths: dict, scene: str) -> None:
    results, seconds = steps.run(
        "refinelabels", IMAGE=[scene], LABELS=paths["noisy"], ENGINE="felzenszwalb",
        REFERENCE=paths["truth"], OUTPUT=str(out / "maps" / "refined.tif"),
        PROPOSALS=str(out / "maps" / "proposals.gpkg"), REPORT=str(out / "maps" / "refined.html"),
    )  # fmt: skip
    quality = files.read_json(results["REPORT_JSON"])["quality"]
    loop.figures["refine"] = quality
    steps.tell("Refine the noisy map", "refinelabels", seconds, quality_words(quality))


def quality_words(quality: dict) -> str:
    """The figure of a refinement in words."""
    return (
        f"{quality['accuracy_before']:.1%} -> {quality['accuracy_after']:.1%} right; "
        f"{quality['corrected_share']:.1%} of wrong pixels corrected, "
        f"{quality['damaged_share']:.1%} of right ones broken"
    )


def _consensus(steps, out: Path, loop: Loop, paths: dict) -> str:
    results, seconds = steps.run(
        "consensus", ANNOTATIONS=[paths[name] for name in PEOPLE], METHOD="dawidskene",
        OUTPUT=str(out / "maps" / "consensus.tif"),
        AGREEMENT=str(out / "maps" / "agreement.tif"),
        REPORT=str(out / "maps" / "consensus.html"),
    )  # fmt: skip
    joint = measure.accuracy(results["OUTPUT"], paths["truth"])
    alone = {name: measure.accuracy(paths[name], paths["truth"]) for name in PEOPLE}
    loop.figures["consensus"] = {"consensus": joint, **alone}
    figure = f"{joint:.1%} right (alone {', '.join(f'{v:.0%}' for v in alone.values())})"
    steps.tell("Consensus of three annotators", "consensus", seconds, figure)
    return results["OUTPUT"]


def _chips(steps, out: Path, loop: Loop, scene: str, consensus: str) -> None:
    results, seconds = steps.run(
        "exportchips", IMAGERY=[scene], LABELS=consensus, CONSENSUS=consensus, CHIP_SIZE=CHIP,
        MIN_SCORE=0.6, MIN_LABELLED=0.8, SPLIT="70/15/15", SEED=SEED, LICENCE="CC0-1.0",
        TAXONOMY="concord-sample", OUTPUT=str(out / "chips"),
    )  # fmt: skip
    steps.tell("Export chips", "exportchips", seconds, f"{results['CHIPS']} chips of {CHIP} px")
    loop.figures["chips"] = results["CHIPS"]
    check(steps, out)


def check(steps, out: Path) -> None:
    """Check the exported chips; a finding ends the run."""
    results, seconds = steps.run(
        "checkchips", INPUT=str(out / "chips"), REPORT=str(out / "maps" / "chips.json")
    )
    report_values = files.read_json(results["REPORT"])
    figure = f"{report_values['files']} files, {report_values['finding_count']} problems"
    steps.tell("Check the chips", "checkchips", seconds, figure)


def _layers(out: Path, paths: dict, scene: str, consensus: str) -> list:
    maps, scheme = out / "maps", taxonomy.load("concord-sample")
    made = "Made by the loop"
    return [
        Shown(scene, "Scene (synthetic)", "scene"),
        Shown(paths["truth"], "Truth (synthetic)", "classes", False, "Given", scheme),
        Shown(paths["noisy"], "Noisy map (synthetic)", "classes", False, "Given", scheme),
        Shown(str(maps / "model.tif"), "Model map", "classes", False, made, scheme),
        Shown(str(maps / "refined.tif"), "Refined map", "classes", False, made, scheme),
        Shown(consensus, "Consensus", "consensus", False, made, scheme),
        Shown(consensus, "Posterior", "posterior", False, made),
        Shown(str(maps / "proposals.gpkg"), "Refinement proposals", "proposals", False, made),
        Shown(str(maps / "prompted.gpkg"), "Prompted outlines", "outlines", True, made),
        Shown(str(out / "chips" / "splits.geojson"), "Chips by split", "chips", True, made),
    ]


def _sections(paths: dict, scene: str, out: Path, consensus: str) -> list:
    scheme = taxonomy.load("concord-sample")
    maps = [
        ("scene, true colour (synthetic)", pictures.of_scene([scene], ["red", "green", "blue"])),
        ("truth (synthetic)", pictures.of_classes(paths["truth"], scheme)),
        ("noisy map", pictures.of_classes(paths["noisy"], scheme)),
        ("model map", pictures.of_classes(str(out / "maps" / "model.tif"), scheme)),
        ("refined map", pictures.of_classes(str(out / "maps" / "refined.tif"), scheme)),
        ("consensus", pictures.of_classes(consensus, scheme)),
        ("posterior", pictures.of_numbers(consensus, 30, 100, 2)),
    ]
    legend = tuple((c.code, c.name, c.colour) for c in scheme.classes)
    return [
        report.Section("Maps", pictures=tuple(maps)),
        report.Section("Classes", header=("code", "class", "colour"), rows=legend),
    ]
