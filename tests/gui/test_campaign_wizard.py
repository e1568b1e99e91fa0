"""The wizard: what is missing is said, and what it asks for is made."""

from __future__ import annotations

import numpy as np
from osgeo import gdal
from qgis.core import QgsGeometry, QgsProject, QgsRasterLayer, QgsRectangle

from concord.plugin.gui.campaign import CampaignPanel
from concord.plugin.gui.campaign_wizard import CampaignWizard
from tests.gui.campaign_steps import (
    finish,
)
from tests.gui.conftest import LEFT, PIXEL, SIDE, TOP, write_raster


def test_wizard_says_what_is_missing_and_makes_a_campaign(open_panel, image, qtbot, tmp_path):
    panel = open_panel(CampaignPanel)
    wizard = CampaignWizard(panel.iface, panel)
    qtbot.addWidget(wizard)
    places, people, quality = wizard.places, wizard.people, wizard.quality
    assert places.says() == "Tick at least one image."
    places.imagery.tick([image])
    assert places.says() == "Choose a class scheme."
    places.scheme.reload("water2")
    places.chip.setValue(16)
    assert places.isComplete()
    people.names.setPlainText("ana\nAna\nben")
    assert "same name" in people.says()
    people.names.setPlainText("ana\nben")
    assert "copies" in people.says()
    people.copies.setValue(2)
    people.lead.setText("lea")
    assert people.isComplete()
    quality.initializePage()
    quality.costs.cellWidget(0, 1).setValue(3)
    quality.posterior.setValue(90)
    wizard.known.tolerance.setValue(2)
    assert "file" in wizard.keep.says()
    wizard.keep.file.setFilePath(str(tmp_path / "new"))
    assert wizard.keep.isComplete()
    panel.campaign.create(wizard.parameters())
    finish(panel, qtbot)
    assert panel.campaign.store is not None, panel.status.text()
    assert len(panel.campaign.store.tasks()) == 16 and panel.campaign.store.me == "lea"
    kept = panel.campaign.store.settings
    assert (kept.costs, kept.min_posterior, kept.tolerance) == ({1: 3.0}, 0.9, 2)


def test_wizard_takes_polygons_and_shows_what_a_crosswalk_loses(open_panel, image, qtbot,
                                                                 image_path, tmp_path):  # fmt: skip
    from qgis.core import QgsFeature, QgsVectorLayer

    sites = QgsVectorLayer("Polygon?crs=EPSG:32632", "fields", "memory")
    sites.setCrs(image.crs())
    for left in (LEFT, LEFT + 30 * PIXEL):
        feature = QgsFeature()
        box = QgsRectangle(left, TOP - 20 * PIXEL, left + 20 * PIXEL, TOP)
        feature.setGeometry(QgsGeometry.fromRect(box))
        sites.dataProvider().addFeature(feature)
    sites.updateExtents()
    known = np.full((SIDE, SIDE), 80, np.uint8)  # permanent water bodies of WorldCover
    known[:, 40:] = 95  # mangroves
    gold = write_raster(tmp_path / "worldcover.tif", known, kind=gdal.GDT_Byte)
    QgsProject.instance().addMapLayers([sites, QgsRasterLayer(gold, "worldcover")])
    panel = open_panel(CampaignPanel)
    wizard = CampaignWizard(panel.iface, panel)
    qtbot.addWidget(wizard)
    places, people, quality = wizard.places, wizard.people, wizard.quality
    places.imagery.tick([image])
    places.scheme.reload("esri-lulc")
    places.kind.setCurrentIndex(places.kind.findData("polygons"))
    assert places.says() == "Choose the layer of polygons."
    assert not places.chip.isVisibleTo(places) and places.sites.isVisibleTo(places)
    places.sites.setLayer(sites)
    for method in ("stratified", "uncertainty"):
        places.sampling.setCurrentIndex(places.sampling.findData(method))
        assert places.guide.isVisibleTo(places) and places.guide.toolTip()
        offered = [places.guide.itemText(i) for i in range(places.guide.count())]
        assert "worldcover" in offered and "scene" not in offered
    places.sampling.setCurrentIndex(0)
    assert places.isComplete()
    people.names.setPlainText("ana\nben\ncy")
    people.lead.setText("lea")
    quality.initializePage()
    known = wizard.known
    known.initializePage()
    assert not known.losses.isVisibleTo(known)
    known.gold.setLayer(QgsProject.instance().mapLayersByName("worldcover")[0])
    known.scheme.reload("worldcover")
    lost = [known.losses.item(i).text() for i in range(known.losses.count())]
    assert any("cannot be told apart as" in text for text in lost)
    assert known.losses.isVisibleTo(known) and known.isComplete()
    wizard.keep.file.setFilePath(str(tmp_path / "sites.gpkg"))
    panel.campaign.create(wizard.parameters())
    finish(panel, qtbot)
    store = panel.campaign.store
    assert [(t.window.width, t.window.height) for t in store.tasks()] == [(20, 20), (20, 20)]
    answers = {int(code) for mask in store.gold().values() for code in np.unique(mask)}
    assert answers and answers <= {1, 4}, "gold is in the campaign's classes"
