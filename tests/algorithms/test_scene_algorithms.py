"""loadscene, coverage, timecomposite and scenechange through Processing."""

from __future__ import annotations

import json

import numpy as np
import pytest
from qgis.core import QgsProcessingException, QgsProject, QgsRasterLayer

from concord.plugin.bridge import scenes, views
from concord.plugin.engine import rasters
from concord.plugin.engine.grid import Grid

GRID = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), 60, 50)
NAME = "S2A_MSIL2A_{}T100031_N0214_R122_T32TQM"


@pytest.fixture
def dated(tmp_path):
    """A folder of three dates of four bands, the first half clouded, with SCL for one."""
    folder = tmp_path / "series"
    for day, cloud in (("20200601", 25), ("20200611", 0), ("20200621", 0)):
        place = folder / NAME.format(day)
        place.mkdir(parents=True)
        for band, value in (("B02", 500), ("B03", 700), ("B04", 600), ("B08", 3000)):
            plane = np.full((50, 60), value, np.uint16)
            plane[:cloud] = 6000
            rasters.write(place / f"{band}.tif", plane, GRID)
    scl = np.full((25, 30), 4, np.uint8)
    scl[:5] = 8
    half = Grid(GRID.crs, (20.0, 0.0, 5e5, 0.0, -20.0, 5e6), 30, 25)
    rasters.write(folder / NAME.format("20200611") / "T32_SCL_20m.tif", scl, half)
    return folder


def test_a_virtual_stack_through_processing(run_algorithm, dated, tmp_path):
    target = tmp_path / "out" / "scene.vrt"
    results = run_algorithm(
        "concord:loadscene",
        {
            "INPUT": str(dated / NAME.format("20200611")),
            "DERIVED": "ndvi;evi",
            "OUTPUT": str(target),
            "REPORT": str(tmp_path / "r.json"),
        },
    )
    layer = QgsRasterLayer(results["OUTPUT"], "scene")
    assert layer.isValid() and layer.bandCount() == 6
    report = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert report["dates"] == ["2020-06-11"]
    assert [entry["reason"] for entry in report["skipped"]] == ["a mask or label by its name"]
    assert (tmp_path / "out" / "scene_computed.tif").exists()


def test_other_endings_are_refused(run_algorithm, dated, tmp_path):
    with pytest.raises(QgsProcessingException, match=r"must end in \.tif or \.vrt"):
        run_algorithm(
            "concord:loadscene", {"INPUT": str(dated), "OUTPUT": str(tmp_path / "scene.png")}
        )


def test_coverage(run_algorithm, dated, tmp_path):
    results = run_algorithm(
        "concord:coverage",
        {
            "INPUT": str(dated),
            "CLEAR": str(tmp_path / "clear.tif"),
            "REPORT": str(tmp_path / "cover.html"),
        },
    )
    told = json.loads((tmp_path / "cover.json").read_text(encoding="utf-8"))
    clear = {entry["date"]: entry["clear"] for entry in told["dates"]}
    assert clear["2020-06-01"] == pytest.approx(50.0, abs=3) and clear["2020-06-21"] == 100.0
    assert clear["2020-06-11"] == 80.0  # by its quality layer
    info = rasters.info(results["CLEAR"])
    assert info.names == ["clear_share", "clear_dates", "dates"]
    assert (tmp_path / "cover.html").exists() and results["REPORT_JSON"].endswith("cover.json")


@pytest.mark.parametrize("method", ["median", "medoid", "maxndvi"])
def test_composite(run_algorithm, dated, tmp_path, method):
    target = str(tmp_path / "c.tif")
    run_algorithm(
        "concord:timecomposite", {"INPUT": str(dated), "METHOD": method, "OUTPUT": target}
    )
    planes = dict(zip(rasters.info(target).names, rasters.read(target)))
    assert planes["blue"][0, 0] == pytest.approx(0.05)
    assert planes["count"][0, 0] == 1 and planes["count"][40, 0] == 3


def test_change_between_dates(run_algorithm, dated, tmp_path):
    files = {
        day: [str(dated / NAME.format(day) / f"{band}.tif") for band in ("B04", "B08")]
        for day in ("20200601", "20200621")
    }
    target = str(tmp_path / "d.tif")
    run_algorithm(
        "concord:scenechange",
        {
            "BEFORE": files["20200601"],
            "AFTER": files["20200621"],
            "BAND": "ndvi",
            "OUTPUT": target,
        },
    )
    plane = rasters.read(target)[0]
    assert plane[40, 0] == pytest.approx(0.0) and plane[0, 0] < -0.5


def test_the_layer_remembers_and_its_day_is_set(run_algorithm, dated, tmp_path):
    report = tmp_path / "r.json"
    results = run_algorithm(
        "concord:loadscene",
        {
            "INPUT": str(dated / NAME.format("20200611")),
            "DERIVED": "ndvi",
            "OUTPUT": str(tmp_path / "s.tif"),
            "REPORT": str(report),
        },
    )
    layer = QgsRasterLayer(results["OUTPUT"], "scene")
    scenes.remember(layer, json.loads(report.read_text(encoding="utf-8")))
    assert layer.customProperty("concord/sensor") == "sentinel-2-l2a"
    assert "folder name" in layer.customProperty("concord/reason")
    assert layer.customProperty("concord/units").split(";")[-1] == "index"
    span = layer.temporalProperties().fixedTemporalRange()
    assert span.begin().date().toString("yyyy-MM-dd") == "2020-06-11"
    titles = [view.title for view in views.views(layer)]
    assert titles[0] == "True colour" and titles[-1] == "ndvi"
    QgsProject.instance().addMapLayer(layer)
    group = views.add_views(layer, QgsProject.instance())
    assert [node.isVisible() for node in group.findLayers()] == [True] + [False] * (len(titles) - 1)
    QgsProject.instance().clear()


def test_the_users_word_on_an_open_layer_is_kept(run_algorithm, tmp_path):
    path = tmp_path / "plain.tif"
    rasters.write(path, np.full((12, 50, 60), 900, np.uint16), GRID)
    layer = QgsRasterLayer(str(path), "plain")
    QgsProject.instance().addMapLayer(layer)
    scenes.correct_sensor(layer, "sentinel-2-l2a")
    run_algorithm("concord:loadscene", {"INPUT": str(path), "OUTPUT": str(tmp_path / "s.tif")})
    assert rasters.info(tmp_path / "s.tif").names[3] == "red"
    scenes.correct_sensor(layer, "")
    run_algorithm("concord:loadscene", {"INPUT": str(path), "OUTPUT": str(tmp_path / "t.tif")})
    assert rasters.info(tmp_path / "t.tif").names[3] == "band_4"
    QgsProject.instance().clear()
