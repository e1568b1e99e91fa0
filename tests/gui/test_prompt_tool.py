"""Real clicks and keys on a real canvas."""

from __future__ import annotations

import pytest
from qgis.PyQt.QtCore import QPoint, Qt
from qgis.PyQt.QtTest import QTest

from concord.plugin.gui.prompt_tool import PromptTool

NONE = Qt.KeyboardModifier.NoModifier


@pytest.fixture
def tool(canvas):
    tool = PromptTool(canvas)
    canvas.setMapTool(tool)
    yield tool
    canvas.unsetMapTool(tool)


def click(canvas, x, y, button=Qt.MouseButton.LeftButton):
    QTest.mouseClick(canvas.viewport(), button, NONE, QPoint(x, y))


def drag(canvas, start, end):
    view = canvas.viewport()
    QTest.mousePress(view, Qt.MouseButton.LeftButton, NONE, QPoint(*start))
    QTest.mouseMove(view, QPoint((start[0] + end[0]) // 2, (start[1] + end[1]) // 2))
    QTest.mouseMove(view, QPoint(*end))
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, NONE, QPoint(*end))


def at(canvas, x, y):
    return canvas.getCoordinateTransform().toMapCoordinates(x, y)


def test_clicks_give_map_coordinates_and_labels(canvas, tool):
    seen = []
    tool.clicked.connect(lambda point, label: seen.append((point.x(), point.y(), label)))
    click(canvas, 100, 150)
    click(canvas, 200, 60, Qt.MouseButton.RightButton)
    first, second = at(canvas, 100, 150), at(canvas, 200, 60)
    assert seen == [(first.x(), first.y(), 1), (second.x(), second.y(), 0)]


def test_drag_gives_a_box_and_no_point(canvas, tool):
    points, boxes = [], []
    tool.clicked.connect(lambda point, label: points.append(label))
    tool.boxed.connect(boxes.append)
    drag(canvas, (50, 60), (150, 200))
    (box,) = boxes
    low, high = at(canvas, 50, 200), at(canvas, 150, 60)
    assert not points
    assert (box.xMinimum(), box.yMinimum()) == pytest.approx((low.x(), low.y()))
    assert (box.xMaximum(), box.yMaximum()) == pytest.approx((high.x(), high.y()))


@pytest.mark.parametrize(
    ("key", "signal", "arguments"),
    [
        (Qt.Key.Key_Return, "accepted", []),
        (Qt.Key.Key_Enter, "accepted", []),
        (Qt.Key.Key_Escape, "dropped", []),
        (Qt.Key.Key_Backspace, "undone", []),
        (Qt.Key.Key_Tab, "cycled", [1]),
        (Qt.Key.Key_Backtab, "cycled", [-1]),
        (Qt.Key.Key_1, "class_picked", [1]),
        (Qt.Key.Key_9, "class_picked", [9]),
    ],
)
def test_keys(canvas, tool, qtbot, key, signal, arguments):
    with qtbot.waitSignal(getattr(tool, signal), timeout=500) as blocker:
        QTest.keyClick(canvas, key)
    assert blocker.args == arguments


def test_control_keys_stay_with_qgis(canvas, tool, qtbot):
    with qtbot.assertNotEmitted(tool.class_picked):
        QTest.keyClick(canvas, Qt.Key.Key_1, Qt.KeyboardModifier.ControlModifier)


def test_escape_during_a_drag_drops_the_box_only(canvas, tool, qtbot):
    boxes = []
    tool.boxed.connect(boxes.append)
    QTest.mousePress(canvas.viewport(), Qt.MouseButton.LeftButton, NONE, QPoint(50, 50))
    QTest.mouseMove(canvas.viewport(), QPoint(120, 120))
    with qtbot.assertNotEmitted(tool.dropped):
        QTest.keyClick(canvas, Qt.Key.Key_Escape)
    QTest.mouseRelease(canvas.viewport(), Qt.MouseButton.LeftButton, NONE, QPoint(120, 120))
    assert not boxes


def test_keys_are_free_once_the_tool_is_off(canvas, tool, qtbot):
    canvas.unsetMapTool(tool)
    with qtbot.assertNotEmitted(tool.accepted):
        QTest.keyClick(canvas, Qt.Key.Key_Return)


def test_qgis_took_the_map_when_another_layer_became_the_current_one(canvas, tool, qtbot):
    """It does so to tools that edit, and keeps a pointer to one that does not when it is set."""
    edits = tool.Flag.EditTool
    canvas.unsetMapTool(tool)
    seen = []
    canvas.mapToolSet.connect(lambda new, _old=None: seen.append(new and bool(new.flags() & edits)))
    canvas.setMapTool(tool)
    assert seen == [True]
    qtbot.wait(10)
    assert not tool.flags() & edits
    canvas.unsetMapTool(tool)
    assert tool.flags() & edits
