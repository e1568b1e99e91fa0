"""A folder of small inputs and a project for the algorithm tests."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from pathlib import Path

import pytest
from algorithms import makers
from algorithms.sentences import one_sentence
from qgis.core import QgsProcessingException, QgsProject, QgsRasterLayer

from concord.plugin.engine import files


@dataclass(frozen=True)
class Place:
    """A small scene: folders of inputs and outputs, the image, its map and three annotators."""

    inputs: Path
    out: Path
    image: str
    labels: str
    people: tuple

    def target(self, name: str) -> str:
        return str(self.out / name)


@pytest.fixture(scope="session")
def small_scene(tmp_path_factory) -> Path:
    """The inputs, made once and never written to."""
    folder = tmp_path_factory.mktemp("small scene")
    codes = makers.truth()
    makers.image(folder / "image.tif")
    makers.labels(folder / "noisy map.tif", makers.noisy(codes))
    for number, share in enumerate((0.05, 0.1, 0.3)):
        makers.labels(folder / f"person_{number}.tif", makers.noisy(codes, share, 10 + number))
    return folder


@pytest.fixture
def place(small_scene, tmp_path) -> Place:
    """The small scene with an empty folder for outputs; its inputs must stay as they are."""
    before = makers.snapshot(small_scene)
    (tmp_path / "out").mkdir()
    yield Place(
        small_scene,
        tmp_path / "out",
        str(small_scene / "image.tif"),
        str(small_scene / "noisy map.tif"),
        tuple(str(small_scene / f"person_{n}.tif") for n in range(3)),
    )
    assert makers.snapshot(small_scene) == before, "the inputs' folder was written to"


@pytest.fixture
def project(qgis_new_project):
    """An empty project that is emptied again, with a way to open rasters in it."""
    project = QgsProject.instance()
    project.clear()

    def add(path, name: str) -> QgsRasterLayer:
        options = QgsRasterLayer.LayerOptions(loadDefaultStyle=False)
        layer = QgsRasterLayer(str(path), name, "gdal", options)
        assert layer.isValid()
        project.addMapLayer(layer)
        return layer

    project.add = add
    yield project
    project.clear()


@pytest.fixture
def refusal(run_algorithm):
    """refusal(id, parameters) -> the one sentence with which the algorithm refuses."""

    def refuse(algorithm: str, parameters: dict) -> str:
        with pytest.raises(QgsProcessingException) as caught:
            run_algorithm(algorithm, parameters)
        text = str(caught.value)
        return text.split("\n", 1)[1] if text.startswith("Unable to execute") else text

    return refuse


@pytest.fixture
def read_report():
    """read_report(results) -> (numbers, page or None); the two stand beside each other."""

    def read(results: dict):
        values = files.read_json(results.get("REPORT_JSON") or results["REPORT"])
        page = results.get("REPORT_HTML")
        return values, Path(page).read_text(encoding="utf-8") if page else None

    return read


@pytest.fixture(autouse=True)
def _no_layer_outlives_qgis(run_algorithm):
    """The function of run_algorithm refers to itself, so that its context would live to the end
    of Python, after QGIS is gone, and crash there."""
    yield
    run_algorithm.context = None
    gc.collect()


CHIPS = {"CHIP_SIZE": 16, "BLOCK": 320, "BUFFER": 0, "LICENCE": "CC0-1.0"}


@pytest.fixture
def refused(refusal, place, tmp_path):
    """refused(algorithm, parameters, *words): it says so in one sentence and touches nothing."""

    def go(algorithm, parameters, *words):
        defaults = {
            "loadscene": {"INPUT": place.image, "OUTPUT": place.target("old.tif")},
            "segmentprompts": {
                "IMAGE": place.image, "PROMPTS": makers.points([(1, 48, 32, 1)]),
                "OUTPUT": place.target("old.gpkg"),
            },
            "runmodel": {
                "INPUT": place.image, "MODEL": "concord-spectral",
                "OUTPUT": place.target("old.tif"), "REPORT": place.target("old.json"),
            },
            "refinelabels": {
                "IMAGE": place.image, "LABELS": place.labels, "OUTPUT": place.target("old.tif"),
                "REPORT": place.target("old.html"), "PROPOSALS": place.target("old.gpkg"),
            },
            "consensus": {
                "ANNOTATIONS": list(place.people), "OUTPUT": place.target("old.tif"),
                "AGREEMENT": place.target("agreement.tif"), "REPORT": place.target("old.html"),
            },
            "exportchips": {
                "IMAGERY": place.image, "LABELS": place.labels, **CHIPS,
                "OUTPUT": place.target("chips"),
            },
            "checkchips": {"INPUT": place.target("chips")},
            "modelcard": {"MODEL": "concord-spectral", "REPORT": place.target("old.json")},
        }  # fmt: skip
        for name in ("old.tif", "old.gpkg", "old.json", "old.html"):
            (place.out / name).write_bytes(b"precious " + name.encode())
        before = makers.snapshot(tmp_path)
        text = refusal(f"concord:{algorithm}", {**defaults[algorithm], **parameters})
        one_sentence(text)
        for word in words:
            assert word in text, text
        assert makers.snapshot(tmp_path) == before, "something was written"
        assert not [p for p in tmp_path.rglob("*") if p.name.endswith(".part")]
        return text

    return go
