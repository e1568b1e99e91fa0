"""What the tests of the Campaign panel share: a campaign, and steps that wait for its store."""

from __future__ import annotations

import time

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsGeometry, QgsProject, QgsRectangle
from qgis.PyQt.QtWidgets import QApplication

from concord.plugin.bridge import labels
from concord.plugin.gui.campaign import CampaignPanel
from tests.gui.conftest import LEFT, PIXEL, SIDE, TOP, write_raster

PEOPLE = ("ana", "ben", "cy")


def settle(panel):
    """Until the store has answered."""
    end = time.monotonic() + 30
    while panel.campaign.calls.busy:
        assert time.monotonic() < end, "the store does not answer"
        QApplication.processEvents()
        time.sleep(0.002)


def enter(panel, *what):
    panel.campaign.open(*what)
    settle(panel)


def finish(panel, qtbot):
    qtbot.waitUntil(lambda: not panel.runner.busy, timeout=60_000)
    settle(panel)


@pytest.fixture
def store_path(provider, image_path, tmp_path):
    """A campaign of four tasks with a known answer for one."""
    from concord.plugin.bridge import campaign_create, campaign_db
    from concord.plugin.engine.campaign import setup

    known = np.zeros((SIDE, SIDE), np.uint8)
    known[:32, :32] = 1
    gold = write_raster(tmp_path / "gold.tif", known, kind=gdal.GDT_Byte)
    wishes = setup.Wishes(
        (image_path,), "water2", PEOPLE, chip=32, lead="lea", gold=gold, title="Test"
    )
    path = str(tmp_path / "campaign.gpkg")
    campaign_create.create(campaign_db.address(path), setup.plan(wishes))
    return path


@pytest.fixture
def panel(open_panel, store_path):
    made = open_panel(CampaignPanel)
    enter(made, store_path)
    return made


def draw(layer, store, task, code):
    """One label over the whole task, as the annotate panel would accept it."""
    window = task.window
    left, top = LEFT + window.col * PIXEL, TOP - window.row * PIXEL
    box = QgsRectangle(left, top - window.height * PIXEL, left + window.width * PIXEL, top)
    labels.accept(layer, QgsGeometry.fromRect(box), layer.crs(), {"class": code},
                  QgsProject.instance().transformContext())  # fmt: skip


def label_everything(panel, name, code):
    enter(panel, panel.campaign.text, name)
    for _ in range(4):
        panel.work.next_task()
        settle(panel)
        draw(panel.work.layer, panel.campaign.store, panel.work.task, code)
        panel.work.submit()
        settle(panel)
