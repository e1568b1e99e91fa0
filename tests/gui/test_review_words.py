"""What the review queue tells of a proposal, and which ones it accepts at once."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsGeometry,
    QgsProject,
    QgsSingleBandGrayRenderer,
    QgsVectorLayer,
)

from concord.plugin.bridge import layers, proposals
from concord.plugin.engine import rasters
from concord.plugin.engine.grid import Grid
from concord.plugin.gui.review_many import AcceptMany

SQUARE = QgsGeometry.fromWkt("POLYGON((0 60, 0.01 60, 0.01 60.01, 0 60.01, 0 60))")


def item(fid=1, sure=0.9, old=1, new=2, status="open"):
    return proposals.Item(fid, old, new, f"c{old}", f"c{new}", sure, 537, 4.3e-6, status)


def test_a_proposal_in_degrees_is_told_in_hectares():
    layer = QgsVectorLayer("Polygon?crs=EPSG:4326", "p", "memory")
    told = proposals.told(item(), layer, SQUARE, QgsProject.instance())
    assert told == "c1 → c2, 90 % sure, 62.2 ha, 537 pixels"


def test_the_area_in_a_projection_of_the_files_own_was_nan():
    # C-CAP's Albers, which QGIS cannot move to degrees
    wkt = (
        'PROJCS["unnamed",GEOGCS["unnamed",DATUM["unnamed",SPHEROID["unnamed",6378140,298.257]],'
        'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],'
        'PROJECTION["Albers_Conic_Equal_Area"],PARAMETER["standard_parallel_1",29.5],'
        'PARAMETER["standard_parallel_2",45.5],PARAMETER["latitude_of_center",23],'
        'PARAMETER["longitude_of_center",-96],UNIT["metre",1]]'
    )
    layer = QgsVectorLayer("Polygon", "p", "memory")
    layer.setCrs(QgsCoordinateReferenceSystem.fromWkt(wkt))
    pixel = QgsGeometry.fromWkt("POLYGON((1802445 1600005, 1802475 1600005, 1802475 1600035, "
                                "1802445 1600035, 1802445 1600005))")  # fmt: skip
    one = replace(item(), pixels=1)
    told = proposals.told(one, layer, pixel, QgsProject.instance())
    assert re.fullmatch(r"c1 → c2, 90 % sure, 90\d m², 1 pixel", told)


def test_without_a_crs_only_pixels_are_told():
    layer = QgsVectorLayer("Polygon", "p", "memory")
    layer.setCrs(QgsCoordinateReferenceSystem())
    told = proposals.told(item(), layer, SQUARE, QgsProject.instance())
    assert told == "c1 → c2, 90 % sure, 537 pixels"


@pytest.mark.parametrize(
    ("statuses", "word"), [((), "No proposals"), (("accepted",), "apply"), (("rejected",), "stays")]
)
def test_the_end_of_the_queue_says_what_is_next(statuses, word):
    assert word in proposals.ended([item(status=s) for s in statuses])


def test_the_button_says_how_many_it_would_accept(qtbot):
    many = AcceptMany()
    qtbot.addWidget(many)
    items = [item(1, 0.896), item(2, 0.89), item(3, 0.99, 2, 1), item(4, 0.99, status="rejected")]
    many.list_changes(items)
    many.follow(items)
    assert [i.fid for i in many.chosen()] == [1, 3], "0.896 is shown as 90 %"
    assert many.button.text() == "Accept all 2"
    many.pairs.setCurrentIndex(many.pairs.findData("2>1"))
    assert many.button.text() == "Accept all 1"
    many.least.setValue(100)
    assert not many.button.isEnabled() and "99 %" in many.button.text()


def test_the_map_before_was_grey_beside_a_coloured_map_after(tmp_path):
    import numpy as np

    grid = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), 4, 4)
    rasters.write(tmp_path / "m.tif", np.ones((4, 4), np.uint8), grid, nodata=0)
    plain = layers.add_raster(tmp_path / "m.tif", "m", "classes", QgsProject.instance())
    plain.setRenderer(QgsSingleBandGrayRenderer(plain.dataProvider(), 1))
    layers.style_plain_classes(plain)
    own = plain.renderer()
    assert own.type() == "paletted"
    layers.style_plain_classes(plain)
    assert plain.renderer() is own, "a style of the user's stays"
    QgsProject.instance().removeAllMapLayers()


def test_proposals_were_offered_as_a_label_layer(open_panel, qgis_new_project):
    from concord.plugin.gui.annotate import AnnotatePanel

    fields = "&".join(f"field={name}:string" for name in proposals.NEEDED)
    made = QgsVectorLayer(f"Polygon?crs=EPSG:4326&{fields}", "proposals", "memory")
    own = QgsVectorLayer("Polygon?crs=EPSG:4326&field=class:integer", "own", "memory")
    QgsProject.instance().addMapLayers([made, own])
    panel = open_panel(AnnotatePanel)
    names = [panel.labels.itemText(i) for i in range(panel.labels.count())]
    assert names[1:] == ["own"]
