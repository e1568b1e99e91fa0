"""What Enter and Ctrl+Z on the map do, and what they say."""

from __future__ import annotations

import pytest
from qgis.core import Qgis
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QFileDialog

from tests.gui.test_annotate import INSIDE, propose, settle

CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def answers(monkeypatch, tmp_path):
    """What is answered to the question for a file, one after the other."""
    kept = [str(tmp_path / "labels.gpkg")]
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (kept.pop(0), ""))
    return kept


def warned(iface) -> list:
    return list(iface.messageBar().get_messages(Qgis.MessageLevel.Warning))


def test_the_first_enter_of_a_fresh_profile_always_failed(prompting, qtbot, answers):
    panel = prompting
    panel.session.add_point(INSIDE, 1)
    settle(panel, qtbot)
    QTest.keyClick(panel._canvas, Qt.Key.Key_Return)
    (feature,) = panel.labels.currentLayer().getFeatures()
    assert (feature["class"], feature["class_name"], feature["object"]) == (1, "object", 1)
    assert not answers and panel.status.text() == "Accepted as object."
    assert panel.classes.entry.name == "object", "the layer itself holds the class now"
    assert panel.classes.schemes.combo.currentText() == "From the layer"
    propose(panel)
    assert panel.accept() and panel.labels.currentLayer().featureCount() == 2


def test_labels_of_a_scheme_that_was_chosen_later_were_grey(prompting, answers, qtbot):
    panel = prompting
    propose(panel)
    assert panel.accept()
    panel.classes.schemes.reload("water2")
    panel.classes.pick(2)
    propose(panel)
    assert panel.accept()
    shown = [c.label() for c in panel.labels.currentLayer().renderer().categories()]
    assert {"object", "water"} <= set(shown)


def test_a_click_joined_an_object_that_was_not_accepted(prompting, answers, qgis_iface, qtbot):
    panel = prompting
    qgis_iface.messageBar().clear_messages()
    answers.insert(0, "")  # the dialog is closed
    panel.session.add_point(INSIDE, 1)
    settle(panel, qtbot)
    assert not panel.accept() and panel.session.chosen is not None
    assert any("needs a file" in text for text in warned(qgis_iface))
    panel.session.add_point(INSIDE, 0)
    assert "object 1, which is not accepted yet" in panel.status.text()
    panel.session.undo()
    settle(panel, qtbot)
    assert panel.accept()
    panel.session.add_point(INSIDE, 1)
    assert "not accepted" not in panel.status.text()


def test_undo_with_open_points_took_the_last_label(prompting, answers, qtbot):
    panel, canvas = prompting, prompting._canvas
    for _ in range(2):
        propose(panel)
        assert panel.accept()
    layer = panel.labels.currentLayer()
    propose(panel)
    panel.session.add_point(INSIDE, 0)
    QTest.keyClick(canvas, Qt.Key.Key_Z, CTRL)
    assert len(panel.session.points) == 1 and layer.featureCount() == 2
    QTest.keyClick(canvas, Qt.Key.Key_Z, CTRL)
    assert panel.session.empty and layer.featureCount() == 2
    QTest.keyClick(canvas, Qt.Key.Key_Z, CTRL)
    assert layer.featureCount() == 1 and panel.status.text() == "Undid label 2."
    assert panel.session.object == 2
    QTest.keyClick(canvas, Qt.Key.Key_Z, CTRL | Qt.KeyboardModifier.ShiftModifier)
    assert layer.featureCount() == 2 and panel.status.text() == "Redid label 2."
    for text in ("Undid label 2.", "Undid label 1.", "Nothing to undo."):
        QTest.keyClick(canvas, Qt.Key.Key_Z, CTRL)
        assert panel.status.text() == text


def test_accepted_stayed_after_qgis_own_undo(prompting, answers):
    propose(prompting)
    assert prompting.accept() and prompting.status.text() == "Accepted as object."
    prompting.labels.currentLayer().undoStack().undo()
    assert prompting.status.text() == "Undid label 1."
    propose(prompting)
    assert prompting.accept()
    prompting.save()
    assert prompting.status.text().startswith("Saved")


def test_a_stroke_is_undone_by_its_name_and_leaves_the_open_points(prompting, answers):
    from tests.gui.test_touch_up import drag

    panel = prompting
    propose(panel)
    assert panel.accept()
    propose(panel)
    panel.touch.wish("brush")
    drag(panel._canvas, (50, 50), (55, 50))
    assert panel.labels.currentLayer().featureCount() == 2
    QTest.keyClick(panel._canvas, Qt.Key.Key_Z, CTRL)
    assert panel.status.text() == "Undid brush stroke." and len(panel.session.points) == 1
    assert panel.labels.currentLayer().featureCount() == 1


def test_class_schemes_were_listed_by_bare_ids(prompting):
    combo = prompting.classes.schemes.combo
    texts = [combo.itemText(index) for index in range(combo.count())]
    assert texts[0] == "One class: object" and "CORINE level 1" in texts and "nlcd" not in texts
    assert combo.itemData(texts.index("National Land Cover Database")) == "nlcd"
