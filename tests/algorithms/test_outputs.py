"""DESIGN.md: outputs that are not asked for are not written, and none of them is a condition.

Found by an examiner: runmodel and loadscene refused a call without OUTPUT, six others too, and
runmodel gave an empty POLYGONS layer without OUTPUT.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from algorithms import makers
from algorithms.sentences import one_sentence
from qgis.core import QgsProcessingException, QgsVectorLayer

from concord.plugin.bridge import polygons
from concord.plugin.engine.errors import Cancelled, ConcordError
from concord.plugin.engine.grid import Grid

MODEL = "concord-spectral"
OUTPUTS = {
    "loadscene": {"OUTPUT": "a.tif", "REPORT": "r.json"},
    "segmentextent": {"OUTPUT": "a.tif", "POLYGONS": "p.gpkg"},
    "refinelabels": {"OUTPUT": "a.tif", "PROPOSALS": "p.gpkg", "REPORT": "r.html"},
    "applyproposals": {"OUTPUT": "a.tif", "CHANGES": "c.json"},
    "runmodel": {"OUTPUT": "a.tif", "PROBABILITIES": "b.tif", "POLYGONS": "p.gpkg",
                 "REPORT": "r.json"},
    "trainclassifier": {"OUTPUT": "m.onnx", "REPORT": "r.html"},
    "combinepredictions": {"OUTPUT": "a.tif", "DISAGREEMENT": "d.tif", "REPORT": "r.json"},
    "consensus": {"OUTPUT": "a.tif", "AGREEMENT": "b.tif", "REPORT": "r.html"},
    "clusterextent": {"OUTPUT": "a.tif", "REPORT": "r.json"},
    "scenechange": {"OUTPUT": "a.tif", "REPORT": "r.json"},
}  # fmt: skip
ALONE = [(name, output) for name, outputs in OUTPUTS.items() for output in outputs]


@pytest.fixture
def asked(place, run_algorithm):
    """asked(name) -> the inputs of an algorithm's call."""

    def inputs(name: str) -> dict:
        if name in ("loadscene", "runmodel", "clusterextent"):
            more = {"MODEL": MODEL} if name == "runmodel" else {}
            return {"INPUT": [place.image], **more}
        if name == "segmentextent":
            return {"IMAGE": place.image, "BANDS": "nir;red;green"}
        if name == "refinelabels":
            return {"IMAGE": [place.image], "LABELS": place.labels, "ENGINE": "mode"}
        if name == "trainclassifier":
            more = {"TREES": 5, "DERIVED": "none", "FOLDS": 2, "SAMPLES": 100}
            return {"INPUT": [place.image], "LABELS": place.labels, **more}
        if name == "consensus":
            return {"ANNOTATIONS": list(place.people), "METHOD": "majority"}
        return made(name)

    def made(name: str) -> dict:
        folder = place.out.parent / "made"
        if name == "applyproposals":
            found = run_algorithm(
                "concord:refinelabels",
                {**inputs("refinelabels"), "PROPOSALS": str(folder / "found.gpkg")},
            )
            return {"LABELS": place.labels, "PROPOSALS": found["PROPOSALS"]}
        if name == "combinepredictions":
            shares = str(folder / "shares.tif")
            run_algorithm("concord:runmodel", {**inputs("runmodel"), "PROBABILITIES": shares})
            return {"INPUT": [shares, shares]}
        later = makers.image(folder / "later.tif", seed=5)
        return {"BEFORE": [place.image], "AFTER": [later], "METHOD": "difference", "BAND": "ndvi"}

    return inputs


def _told(path: Path) -> dict:
    """A report's numbers without times and places."""
    values = json.loads(path.read_text(encoding="utf-8"))
    places = ("output", "model", "bytes", "mask", "provenance")
    return {k: v for k, v in values.items() if "second" not in k and k not in places}


def _same(name: str, one: Path, other: Path) -> None:
    if one.suffix == ".gpkg":
        layers = [QgsVectorLayer(str(p), "x", "ogr") for p in (one, other)]
        assert layers[0].featureCount() == layers[1].featureCount() > 0
    elif one.suffix in (".html", ".json"):
        assert _told(one.with_suffix(".json")) == _told(other.with_suffix(".json"))
        assert ".unasked" not in one.with_suffix(".json").read_text(encoding="utf-8")
    else:
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize(("name", "output"), ALONE)
def test_an_output_alone_is_the_same_and_no_other_is_written(
    run_algorithm, place, asked, name, output
):
    given, whole = asked(name), place.out.parent / "whole"
    every = {key: str(whole / file) for key, file in OUTPUTS[name].items()}
    run_algorithm(f"concord:{name}", {**given, **every})
    file = place.out / OUTPUTS[name][output]
    results = run_algorithm(f"concord:{name}", {**given, output: str(file)})
    assert {key for key in results if key in OUTPUTS[name]} == {output}
    written = {path.name for path in place.out.iterdir()}
    beside = {file.with_suffix(".json").name, f"{file.name}.aux.xml"}
    beside.add(file.with_suffix(".mlm.json").name)
    assert file.name in written and written <= {file.name} | beside
    _same(name, file, whole / file.name)


@pytest.mark.parametrize("name", sorted(OUTPUTS))
def test_a_call_that_would_write_nothing_says_which_outputs_there_are(refusal, asked, name):
    text = refusal(f"concord:{name}", asked(name))
    one_sentence(text)
    assert "Nothing would be written; say where to write" in text
    assert all(output in text for output in OUTPUTS[name])


@pytest.fixture
def tall(tmp_path):
    """An image of three strips, so that two of them are kept in a journal."""
    grid = Grid(makers.CRS, makers.GRID.transform, 64, 700)
    return makers.image(tmp_path / "tall" / "tall.tif", grid)


@pytest.mark.parametrize("stop", [ConcordError("It broke; try again."), Cancelled()])
def test_a_run_that_ended_while_it_traced_ran_the_whole_model_again(
    run_algorithm, place, tall, monkeypatch, stop
):
    def broken(*_):
        raise stop
        yield

    out = {"OUTPUT": place.target("a.tif"), "POLYGONS": place.target("p.gpkg")}
    given = {"INPUT": [tall], "MODEL": MODEL, "REPORT": place.target("r.json"), **out}
    with monkeypatch.context() as patch, pytest.raises(QgsProcessingException):
        patch.setattr(polygons, "of_raster", broken)
        run_algorithm("concord:runmodel", given)
    kept = not isinstance(stop, Cancelled)
    assert (place.out / ".a.tif.journal").exists() == kept
    results = run_algorithm("concord:runmodel", given)
    report = json.loads(Path(results["REPORT"]).read_text(encoding="utf-8"))
    assert report["resumed_rows"] == (256 if kept else 0) and report["labelled"] == 64 * 700
    assert not list(place.out.glob(".*"))


def test_polygons_of_a_model_go_on_from_the_journal_of_a_map_that_nobody_asked_for(
    run_algorithm, place, asked
):
    """The journal lies beside the map, which has a fixed place also when it is left out."""
    layer = place.out / "p.gpkg"
    hidden = place.out / ".p.gpkg.unasked" / ".output.tif.journal"
    hidden.mkdir(parents=True)
    (hidden / "key").write_text("of another run")
    run_algorithm("concord:runmodel", {**asked("runmodel"), "POLYGONS": str(layer)})
    assert not hidden.parent.exists() and layer.exists()
