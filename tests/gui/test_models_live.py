"""A model's result grows on the map while it runs."""

from __future__ import annotations

import numpy as np
import pytest
from qgis.core import QgsRectangle
from qgis.PyQt.QtGui import QColor

from concord.plugin.engine.grid import Grid
from concord.plugin.engine.infer import glimpse
from concord.plugin.engine.infer.journal import Journal
from concord.plugin.engine.infer.tasks.layer import Layer
from concord.plugin.gui.models import ModelsPanel
from concord.plugin.gui.models_live import LiveMap

RED, BLUE = (220, 30, 30), (20, 40, 220)


@pytest.fixture
def growing(canvas, tmp_path):
    """(output, grid, keep(row, codes)) of a run two strips high."""
    box = QgsRectangle(500_000, 5_399_360, 500_640, 5_400_000)
    side = box.width() / 512
    grid = Grid("EPSG:32632", (side, 0, box.xMinimum(), 0, -side, box.yMaximum()), 512, 512)
    output = str(tmp_path / "map.tif")
    layer = Layer(1, "uint8", colours={1: RED, 2: BLUE})
    journal = Journal(output, "key", glimpse.about(grid, layer))
    yield (
        output,
        grid,
        lambda row, code: journal.keep(
            row, {"main": np.full((1, 256, 512), code, np.uint8)}, (0, 0)
        ),
    )
    journal.remove()


def colours(canvas) -> tuple:
    """The canvas's colours at a quarter and at three quarters of its height."""
    picture = canvas.grab().toImage()
    ratio = picture.width() / canvas.width()
    middle = int(canvas.width() / 2 * ratio)
    spots = [int(canvas.height() * part * ratio) for part in (0.25, 0.75)]
    return tuple(QColor(picture.pixel(middle, y)).getRgb()[:3] for y in spots)


def test_finished_strips_are_seen_in_place_and_go_away(growing, canvas, qtbot):
    output, grid, keep = growing
    left, bottom, right, top = grid.bounds
    canvas.setExtent(QgsRectangle(left, bottom, right, top))
    live = LiveMap(canvas, output)
    live.look()
    empty = colours(canvas)
    keep(0, 1)
    live.look()
    assert colours(canvas) == (RED, empty[1])
    keep(256, 2)
    live.look()
    assert colours(canvas) == (RED, BLUE)
    live.end()
    assert colours(canvas) == empty


def test_strips_of_numbers_are_gray_and_clear_where_empty(growing, tmp_path):
    _, grid, _ = growing
    output = str(tmp_path / "numbers.tif")
    journal = Journal(output, "key", glimpse.about(grid, Layer(1, "float32")))
    plane = np.linspace(0, 1, 512, dtype=np.float32)[None, None].repeat(256, axis=1)
    plane[:, :, :100] = np.nan
    journal.keep(0, {"main": plane}, (0, 0))
    ((row, seen),) = glimpse.Glimpse(output).news()
    assert row == 0 and seen[0, 0, 3] == 0 and seen[0, 500, 3] == 255
    assert seen[0, 150, 0] < seen[0, 400, 0]
    journal.remove()


def test_a_large_result_is_shown_small(tmp_path):
    grid = Grid("EPSG:32632", (1, 0, 0, 0, -1, 0), 5000, 700)
    output = str(tmp_path / "map.tif")
    journal = Journal(output, "key", glimpse.about(grid, Layer(1, "uint8", colours={1: RED})))
    journal.keep(256, {"main": np.ones((1, 256, 5000), np.uint8)}, (0, 0))
    look = glimpse.Glimpse(output)
    ((row, seen),) = look.news()
    assert look.step == 5 and row == 52 and seen.shape == (51, 1000, 4)
    assert look.news() == []
    journal.remove()
    assert look.news() == []


def test_after_a_run_nothing_hangs_over_the_map(open_panel, image, qtbot, messages, canvas):
    panel = open_panel(ModelsPanel)
    panel.extent.combo.setCurrentIndex(panel.extent.combo.findData("layer"))
    panel.run()
    assert panel._live is not None
    qtbot.waitUntil(lambda: not panel.runner.busy, timeout=60_000)
    assert panel._live is None and messages() == []
    assert not [item for item in canvas.scene().items() if isinstance(item, LiveMap)]
