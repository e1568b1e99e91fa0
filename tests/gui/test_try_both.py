"""Two composites of one image: the steadier mask is kept, with its composite's name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from qgis.core import QgsProject, QgsRasterLayer
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtTest import QTest

from concord.plugin.bridge import prompt_jobs
from concord.plugin.gui.annotate import AnnotatePanel
from concord.plugin.gui.prompt_session import BOTH
from tests.gui.conftest import SIDE, write_raster
from tests.gui.test_annotate import INSIDE, LONG, NONE, pixel


@dataclass
class Reply:
    score: float
    stability: float | None = None


@dataclass
class Text:
    text: str = ""
    id: str = ""


class Desk:
    def __init__(self, name, *replies):
        self.composite, self.provider = Text(text=name), Text(id="m")
        self._replies = list(replies)

    def ask(self, _question, _number):
        return self._replies

    def outlines(self, answer):
        return [answer.score]


class Worker:
    def __init__(self, *desks):
        self._desks = desks

    def desk(self, setup):
        return self._desks[setup]


def kept(*desks):
    work = prompt_jobs.answering("question", 1, list(range(len(desks))), Worker(*desks))
    found = work(desks[0])
    return found[0][2] if found else ""


def test_the_steadier_mask_wins_over_the_better_score():
    one, other = Desk("one", Reply(0.9, 0.5)), Desk("other", Reply(0.6, 0.8))
    assert kept(one, other) == kept(other, one) == "other"


def test_without_stability_the_score_decides():
    assert kept(Desk("one", Reply(0.4)), Desk("other", Reply(0.6))) == "other"


def test_a_composite_that_shows_nothing_leaves_the_other():
    assert kept(Desk("one"), Desk("other", Reply(0.1, 0.1))) == "other"
    assert kept(Desk("one"), Desk("other")) == ""


@pytest.mark.parametrize("clear", ["nir", "red"])
def test_the_panel_keeps_the_composite_in_which_the_object_stands_out(
    open_panel, qgis_new_project, tmp_path, qtbot, messages, clear
):
    """A square in one band only: the composite without this band sees noise."""
    random = np.random.default_rng(3)
    names = ("blue", "green", "red", "nir")
    bands = 0.1 + random.normal(0, 0.02, (4, SIDE, SIDE))
    shown = ("nir",) if clear == "nir" else ("red", "blue", "green")
    for name in shown:
        bands[names.index(name), 20:44, 20:44] += 0.4
    image = QgsRasterLayer(write_raster(tmp_path / "one.tif", bands, names), "one")
    QgsProject.instance().addMapLayer(image)
    panel = open_panel(AnnotatePanel)
    panel.model.reload("regions")  # its outlines are exact on these squares
    panel.make_label_layer(str(tmp_path / "labels.gpkg"))
    panel.classes.schemes.reload("concord-sample")
    panel.image.setLayer(image)
    both = [i for i in range(panel.composite.count()) if BOTH in panel.composite.itemData(i)]
    panel.composite.setCurrentIndex(both[0])
    panel.start_button.click()
    canvas = panel._canvas
    QTest.mouseClick(canvas.viewport(), Qt.MouseButton.LeftButton, NONE, pixel(canvas, INSIDE))
    qtbot.waitUntil(lambda: not panel.session.busy, timeout=LONG)
    assert messages() == [] and panel.session.chosen is not None
    assert panel.session.chosen.composite.startswith("nir" if clear == "nir" else "red")
    area = panel.session.chosen.geometry.area()
    assert area == pytest.approx(240 * 240, rel=0.2)
    assert panel.accept()
    (feature,) = panel.labels.currentLayer().getFeatures()
    assert feature["composite"].startswith("nir" if clear == "nir" else "red")
