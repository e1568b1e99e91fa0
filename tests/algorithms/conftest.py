"""A folder of small inputs and a project for the algorithm tests."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from pathlib import Path

import pytest
from algorithms import makers
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
