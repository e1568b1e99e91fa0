"""concord:segmentprompts on a round pond and stripes: points, boxes, CRSs, destinations."""

from __future__ import annotations

import numpy as np
import pytest
from algorithms import makers
from qgis.core import (
    QgsGeometry,
    QgsProcessingException,
    QgsProcessingOutputLayerDefinition,
    QgsProcessingUtils,
    QgsProject,
    QgsVectorFileWriter,
    QgsVectorLayer,
)

from concord.plugin.engine import rasters

POND = makers.truth() == 1
MIDDLE = (48, 32)


@pytest.fixture
def segment(run_algorithm, place):
    """segment(prompts) -> (layer of outlines, results)"""

    def run(prompts, output="memory:", **parameters):
        parameters = {"BANDS": "nir;red;green", "IMAGE": place.image, **parameters}
        results = run_algorithm(
            "concord:segmentprompts", {"PROMPTS": prompts, "OUTPUT": output, **parameters}
        )
        found = results["OUTPUT"]
        if isinstance(found, str):
            found = QgsProcessingUtils.mapLayerFromString(found, run_algorithm.context)
        return found, results

    return run


def test_a_click_in_the_pond_gives_the_pond(segment):
    layer, _ = segment(makers.points([(7, *MIDDLE, 1)]))
    assert [field.name() for field in layer.fields()][:2] == ["object", "score"]
    (feature,) = layer.getFeatures()
    assert feature["object"] == 7 and 0 < feature["score"] <= 1
    assert layer.crs().authid() == makers.CRS
    assert makers.iou(makers.drawn(layer)[7], POND) > 0.9


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857", "EPSG:25833"])
def test_prompts_in_another_crs_than_the_image(segment, crs):
    layer, _ = segment(makers.points([(1, *MIDDLE, 1)], crs))
    assert layer.crs().authid() == makers.CRS, "outlines are in the image's CRS"
    assert makers.iou(makers.drawn(layer)[1], POND) > 0.9


@pytest.mark.parametrize("crs", [makers.CRS, "EPSG:4326"])
def test_a_polygon_is_a_box(segment, crs):
    window = (48 - 13, 32 - 13, 26, 26)
    boxes = makers.vector("Polygon", [(makers.box(window, crs), (3, 1))], crs)
    layer, _ = segment(boxes)
    assert makers.iou(makers.drawn(layer)[3], POND) > 0.8


def test_a_multipoint_belongs_to_one_object(segment):
    spots = [makers.xy(48, 32), makers.xy(44, 34), makers.xy(52, 30)]
    layer, _ = segment(makers.vector("MultiPoint", [(QgsGeometry.fromMultiPointXY(spots), (5, 1))]))
    assert set(makers.drawn(layer)) == {5}
    assert makers.iou(makers.drawn(layer)[5], POND) > 0.9


def test_points_without_fields_are_objects_of_their_own(segment):
    spots = [(QgsGeometry.fromPointXY(makers.xy(*spot)), ()) for spot in (MIDDLE, (10, 32))]
    layer, _ = segment(makers.vector("Point", spots, fields=""))
    drawn = makers.drawn(layer)
    assert set(drawn) == {1, 2}
    assert drawn[1][32, 48] and drawn[2][32, 10]
    assert (drawn[1] != drawn[2]).any()


def test_a_zero_point_takes_its_place_out(segment):
    layer, _ = segment(makers.points([(1, 10, 32, 1), (1, *MIDDLE, 0), (1, 85, 32, 0)]))
    mask = makers.drawn(layer)[1]
    assert mask[32, 10] and not mask[32, 48] and not mask[32, 85]


def test_points_and_boxes_of_one_object_go_together(segment):
    window = (48 - 13, 32 - 13, 26, 26)
    boxes = makers.vector("Polygon", [(makers.box(window), (1, 1))])
    layer, _ = segment(makers.points([(1, *MIDDLE, 1)]), BOXES=boxes)
    assert set(makers.drawn(layer)) == {1}
    assert makers.iou(makers.drawn(layer)[1], POND) > 0.8


@pytest.mark.parametrize("model, alike", [("regions", 0.0), ("concord-prompt", 0.05)])
def test_three_candidates_are_ranked(segment, model, alike):
    """By score; of those that the network holds for alike, edges say which comes first."""
    layer, _ = segment(makers.points([(1, *MIDDLE, 1)]), CANDIDATES=3, MODEL=model)
    rows = [(f["candidate"], f["score"]) for f in layer.getFeatures()]
    assert [rank for rank, _ in rows] == list(range(len(rows))) and 1 <= len(rows) <= 3
    scores = [score for _, score in rows]
    assert all(a >= b - alike for a, b in zip(scores, scores[1:]))


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".shp"])
def test_files_of_every_kind_are_whole_and_alone(segment, place, suffix):
    target = place.target("out lines" + suffix)
    layer, results = segment(makers.points([(1, *MIDDLE, 1)]), target)
    assert results["OUTPUT"] == target
    assert layer.isValid() and layer.featureCount() == 1
    assert {path.name.split(".")[0] for path in place.out.iterdir()} == {"out lines"}


def test_an_old_file_is_replaced_with_its_table_named_after_it(segment, place):
    target = place.target("outlines.gpkg")
    segment(makers.points([(1, *MIDDLE, 1), (2, 10, 10, 1)]), target)
    segment(makers.points([(9, *MIDDLE, 1)]), target)
    layer = QgsVectorLayer(f"{target}|layername=outlines", "again", "ogr")
    assert layer.isValid() and [f["object"] for f in layer.getFeatures()] == [9]
    assert [path.name for path in place.out.iterdir()] == ["outlines.gpkg"]


def test_a_table_is_added_to_a_geopackage(segment, place):
    store = place.target("store.gpkg")
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.layerName = "older"
    QgsVectorFileWriter.writeAsVectorFormatV2(
        makers.points([(1, 1, 1, 1)]), store, QgsProject.instance().transformContext(), options
    )
    segment(makers.points([(1, *MIDDLE, 1)]), f'ogr:dbname="{store}" table="lines" (geom)')
    for table in ("older", "lines"):
        assert QgsVectorLayer(f"{store}|layername={table}", table, "ogr").featureCount() == 1


def test_a_layer_to_load_after_the_run_is_announced(run_algorithm, place, project):
    target = place.target("outlines.gpkg")
    run_algorithm(
        "concord:segmentprompts",
        {"IMAGE": place.image, "PROMPTS": makers.points([(1, *MIDDLE, 1)]),
         "OUTPUT": QgsProcessingOutputLayerDefinition(target, QgsProject.instance())},
    )  # fmt: skip
    waiting = run_algorithm.context.layersToLoadOnCompletion()
    assert list(waiting) == [target]
    assert waiting[target].outputName == "OUTPUT"


def test_only_selected_prompts_when_asked(segment):
    from qgis.core import QgsProcessingFeatureSourceDefinition

    prompts = makers.points([(1, *MIDDLE, 1), (2, 10, 10, 1)])
    QgsProject.instance().addMapLayer(prompts)
    prompts.selectByExpression('"object" = 2')
    layer, _ = segment(QgsProcessingFeatureSourceDefinition(prompts.id(), True))
    assert set(makers.drawn(layer)) == {2}
    QgsProject.instance().removeMapLayer(prompts.id())


def test_lines_are_refused_instead_of_read_as_points(refusal, place):
    line = QgsGeometry.fromPolylineXY([makers.xy(40, 32), makers.xy(50, 32)])
    for kind, geometry in (("LineString", line), ("MultiLineString", line.asGeometryCollection())):
        if kind == "MultiLineString":
            geometry = QgsGeometry.fromMultiPolylineXY([line.asPolyline()])
        text = refusal(
            "concord:segmentprompts",
            {"IMAGE": place.image, "PROMPTS": makers.vector(kind, [(geometry, (1, 1))]),
             "OUTPUT": "memory:"},
        )  # fmt: skip
        assert "points or boxes" in text


def test_the_same_clicks_give_the_same_outlines(segment):
    prompts = makers.points([(1, *MIDDLE, 1), (2, 10, 10, 1)])
    one, two = (segment(prompts)[0] for _ in range(2))
    assert [f.geometry().asWkt() for f in one.getFeatures()] == [
        f.geometry().asWkt() for f in two.getFeatures()
    ]


def test_a_point_without_a_number_joined_the_object_that_had_its_place(segment):
    spots = [(2, MIDDLE), (None, (10, 32))]
    rows = [(QgsGeometry.fromPointXY(makers.xy(*spot)), (n, 1)) for n, spot in spots]
    layer, _ = segment(makers.vector("Point", rows))
    drawn = makers.drawn(layer)
    assert set(drawn) == {2, 4} and drawn[2][32, 48] and not drawn[2][32, 10]


@pytest.mark.parametrize("name", ["segmentprompts", "encodescene"])
def test_toolbox_and_panel_begin_with_the_same_model(provider, name):
    """The panel offered the network first while the algorithm began with regions."""
    from concord.plugin.bridge import prompt_models

    (_, first), *_ = prompt_models.offered()
    assert provider.algorithm(name).parameterDefinition("MODEL").defaultValue() == first


def test_an_object_clicked_where_there_is_no_data_was_outlined_elsewhere(
    segment, run_algorithm, place, tmp_path
):
    values = rasters.read(place.image).astype(np.float32)
    values[:, :, :20] = np.nan
    half = str(tmp_path / "half.tif")
    names = [band.name for band in rasters.info(place.image).bands]
    rasters.write(half, values, makers.GRID, names=names, nodata=np.nan)
    with pytest.raises(QgsProcessingException, match="no data under the prompt of object 4"):
        segment(makers.points([(4, 5, 32, 1)]), IMAGE=half)
    with pytest.raises(QgsProcessingException, match="no data under the prompt of object 5"):
        segment(makers.points([(4, 5, 32, 1), (5, 8, 32, 1)]), IMAGE=half)
    layer, _ = segment(makers.points([(4, 5, 32, 1), (7, *MIDDLE, 1)]), IMAGE=half)
    assert set(makers.drawn(layer)) == {7}, "the others are answered"
    said = [text for kind, text in run_algorithm.messages if kind == "warning"]
    assert any("object 4" in text for text in said)
