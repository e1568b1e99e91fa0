"""What a killed QGIS leaves behind, and how it comes back."""

from __future__ import annotations

import pytest
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransformContext,
    QgsGeometry,
    QgsRectangle,
    QgsVectorLayer,
)

from concord.plugin.bridge import journal, labels
from concord.plugin.bridge.planar import CUT_OLD, Rule
from concord.plugin.engine.errors import ConcordError

UTM = QgsCoordinateReferenceSystem("EPSG:32632")
CONTEXT = QgsCoordinateTransformContext()


def square(x, side=10):
    return QgsGeometry.fromRect(QgsRectangle(5e5 + x, 5.4e6, 5e5 + x + side, 5.4e6 + side))


@pytest.fixture
def layer(tmp_path, qgis_app):
    layer = labels.create_label_layer(tmp_path / "labels.gpkg", UTM, "Labels")
    labels.accept(layer, square(0), UTM, {"class": 1, "annotator": "Ada"}, CONTEXT)
    assert layer.commitChanges()
    return layer


@pytest.fixture
def follow():
    """follow(layer) -> its Journal, released afterwards."""
    kept = []

    def make(layer):
        kept.append(journal.Journal(layer))
        return kept[-1]

    yield make
    for one in kept:
        one.release()


def reopened(layer):
    """The layer as the next QGIS finds it: only what was committed."""
    return QgsVectorLayer(layer.source(), "again", "ogr")


def content(layer):
    return sorted(
        (f["class"], round(f.geometry().area(), 3), str(f["annotator"]).replace("NULL", "None"))
        for f in layer.getFeatures()
    )


def edit(layer):
    """Accept, cut a neighbour, undo, redo, change a value: all of it unsaved."""
    labels.accept(layer, square(20), UTM, {"class": 2, "annotator": "Bo"}, CONTEXT)
    labels.accept(layer, square(5), UTM, {"class": 3}, CONTEXT, None, Rule(CUT_OLD))
    labels.accept(layer, square(50), UTM, {"class": 4}, CONTEXT)
    layer.undoStack().undo()
    layer.undoStack().redo()
    layer.undoStack().undo()
    first = next(f.id() for f in layer.getFeatures() if f["class"] == 1)
    layer.changeAttributeValue(first, layer.fields().indexOf("annotator"), "Cy")


def test_unsaved_edits_come_back_after_a_kill(layer, follow):
    kept = follow(layer)
    edit(layer)
    expected = content(layer)
    kept.release()  # a kill does not even do that
    again = reopened(layer)
    assert content(again) == [(1, 100.0, "Ada")]
    count, prompt = journal.summary(journal.path_of(again))
    assert count >= 6 and prompt is None
    assert journal.replay(again, journal.path_of(again)) == count
    assert content(again) == expected and len(expected) == 3
    assert again.undoStack().count() == 1
    assert again.commitChanges() and content(reopened(again)) == expected


def test_saving_or_discarding_removes_the_journal(layer, follow):
    kept = follow(layer)
    edit(layer)
    assert kept.path.exists()
    assert layer.commitChanges(False) and not kept.path.exists()
    labels.accept(layer, square(90), UTM, {"class": 2}, CONTEXT)
    assert kept.path.exists()
    layer.rollBack()
    assert not kept.path.exists()


def test_a_line_cut_short_by_the_crash_is_left_out(layer, follow):
    kept = follow(layer)
    labels.accept(layer, square(20), UTM, {"class": 2}, CONTEXT)
    labels.accept(layer, square(40), UTM, {"class": 3}, CONTEXT)
    kept.release()
    text = kept.path.read_text()
    kept.path.write_text(text[:-30])
    again = reopened(layer)
    assert journal.replay(again, kept.path) == 1
    assert [c for c, _, _ in content(again)] == [1, 2]


def test_a_damaged_journal_is_one_sentence_and_the_layer_is_as_it_was(layer, follow):
    path = journal.path_of(layer)
    path.write_text('{"add": -2, "wkb": "zz", "values": {}}\n')
    again = reopened(layer)
    with pytest.raises(ConcordError, match="is damaged"):
        journal.replay(again, path)
    assert content(again) == [(1, 100.0, "Ada")] and again.undoStack().count() == 0
    path.write_bytes(b"\xff\xfe nonsense")
    assert journal.summary(path) == (0, None)


def test_the_unfinished_prompt_is_kept(layer, follow):
    kept = follow(layer)
    kept.prompt({"object": 3, "points": [[1, 2, 1]]})
    assert journal.summary(kept.path) == (0, {"object": 3, "points": [[1, 2, 1]]})
    kept.prompt(None)
    assert journal.summary(kept.path) == (0, None)


def test_layers_without_a_file_have_no_journal(qgis_app, follow):
    layer = QgsVectorLayer("Polygon?crs=EPSG:32632&field=class:integer", "m", "memory")
    kept = follow(layer)
    labels.accept(layer, square(0), UTM, {"class": 1}, CONTEXT)
    assert kept.path is None
