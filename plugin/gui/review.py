"""The review queue: one proposal at a time, by keyboard, with the map zoomed to it."""

from __future__ import annotations

from dataclasses import replace

from qgis.core import QgsGeometry, QgsProject
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import (
    QLabel,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from ..bridge import proposals
from ..bridge.text import tr
from ..engine.errors import ConcordError
from .review_keys import ReviewKeys
from .review_many import AcceptMany
from .review_map import ReviewMap
from .widgets import LayerCombo, choice, form, note, row, side_by_side


class ReviewQueue(QWidget):
    """Decides on proposals; every decision is in the layer's file at once and can be undone.

    ``failed`` and ``said`` carry one sentence; ``moved`` comes after each decision or step.
    """

    failed = pyqtSignal(str)
    said = pyqtSignal(str)
    moved = pyqtSignal()

    def __init__(self, iface, parent: QWidget | None = None):
        super().__init__(parent)
        self.iface = iface
        self.items: list = []
        self.place = -1
        self.shown = ReviewMap(iface.mapCanvas())
        self._undo: list = []
        self._in_front = True
        self._build()
        self._keys()

    # building

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        layout = form()
        self.layer_combo = LayerCombo("polygon", proposals.is_proposals)
        self.layer_combo.layerChanged.connect(self.load)
        row(layout, tr("Proposa&ls"), self.layer_combo, tr("The layer that Refine made"))
        column.addLayout(layout)
        self.counts, self.current = note(), note()
        column.addWidget(self.counts)
        column.addWidget(self.current)
        self.accept_button = self._button(tr("Accept"), "A", self.accept)
        self.reject_button = self._button(tr("Reject"), "R", self.reject)
        self.skip_button = self._button(tr("Next"), "N", self.skip)
        column.addWidget(side_by_side(self.accept_button, self.reject_button, self.skip_button))
        self.classes = choice()
        self.classes.setToolTip(tr("The class that the place should have instead"))
        self.classes.setAccessibleName(tr("Other class"))
        self.relabel_button = self._button(tr("Relabel"), "L", self.relabel)
        column.addWidget(side_by_side(self.classes, self.relabel_button))
        self.flip_button = self._button(tr("Flip the view"), "V", self.flip)
        self.flip_button.setToolTip(
            tr("Show the map before, the map after, and the image in turn (V)")
        )
        self.undo_button = self._button(tr("Undo"), "U", self.undo)
        column.addWidget(side_by_side(self.flip_button, self.undo_button))
        self.swipe = QSlider(Qt.Orientation.Horizontal)
        self.swipe.setRange(0, 100)
        self.swipe.setToolTip(tr("Pull to the right to lay the map before over the map after"))
        self.swipe.setAccessibleName(tr("Swipe"))
        self.swipe.valueChanged.connect(self._swiped)
        column.addWidget(side_by_side(QLabel(tr("Swipe")), self.swipe, stretch=1))
        self.many = AcceptMany(self)
        self.many.button.clicked.connect(lambda _checked=False: self._guarded(self.accept_all))
        column.addWidget(self.many)

    def _button(self, text: str, key: str, action) -> QPushButton:
        button = QPushButton(f"{text} ({key})")
        button.clicked.connect(lambda _checked=False: self._guarded(action))
        return button

    def _keys(self) -> None:
        """Keys work wherever the focus is in the window, while the panel is shown."""
        actions = {"A": self.accept, "R": self.reject, "N": self.skip, "L": self.relabel,
                   "V": self.flip, "U": self.undo}  # fmt: skip
        self.keys = ReviewKeys((self, self.iface.mapCanvas()), actions, self._pressed)
        self._arm()

    def _arm(self) -> None:
        self.keys.arm(self.in_sight and bool(self.items))

    def _pressed(self, action) -> None:
        if self.in_sight:
            self._guarded(action)

    def _guarded(self, action) -> None:
        try:
            action()
        except ConcordError as error:
            self.failed.emit(str(error))

    def showEvent(self, event) -> None:  # noqa: N802 (Qt's name)
        super().showEvent(event)
        self._arm()
        self._mark()
        # After a restart the map may be elsewhere; a place in sight is left where it is.
        if self.item is not None and not self.shown.sees(self.layer, self._geometry()):
            self.shown.zoom(self.layer, self._geometry())

    @property
    def in_sight(self) -> bool:
        """True while the queue can be seen: a dock behind another one's tab is visible to Qt."""
        return self._in_front and self.isVisible()

    def set_in_front(self, on: bool) -> None:
        """Whether the panel is the one of its tabs that is shown; keys and map follow."""
        self._in_front = on
        self._arm()
        self._mark()
        if not on:
            self.swipe.setValue(0)

    def hideEvent(self, event) -> None:  # noqa: N802
        super().hideEvent(event)
        self._arm()
        self.shown.unmark()
        self.swipe.setValue(0)

    # what is reviewed

    @property
    def layer(self):
        """The proposals layer, None when there is none."""
        return self.layer_combo.currentLayer()

    @property
    def item(self):
        """The proposal that is shown, None when there is none."""
        return self.items[self.place] if 0 <= self.place < len(self.items) else None

    def start(self, layer, before=None, after=None, image=None) -> None:
        """Review a layer; the three maps are what `flip` shows in turn."""
        self.shown.choose(before, after, image)
        proposals.remember_maps(layer, self.shown.maps)
        self.layer_combo.sieve()
        self.layer_combo.setLayer(layer)
        self.load()

    def load(self, *_) -> None:
        """Read the queue again and go to where the review stood."""
        self._undo.clear()
        layer = self.layer
        self.shown.recall(proposals.remembered_maps(layer) if layer is not None else {})
        # The combo shows a layer for a moment before it is sieved.
        self.items = proposals.queue(layer) if proposals.is_proposals(layer) else []
        self.place = -1
        if self.items:
            known = proposals.remembered(layer)
            places = [i for i, item in enumerate(self.items) if item.fid == known]
            self.place = places[0] if places else proposals.next_open(self.items)
            if self.place >= 0 and self.item.status != proposals.OPEN:
                self.place = proposals.next_open(self.items, self.place)
        self._list_choices()
        self._show()

    def _list_choices(self) -> None:
        names = {i.old_class: i.old_name for i in self.items}
        names.update({i.new_class: i.new_name for i in self.items})
        self.classes.clear()
        for code in sorted(names):
            self.classes.addItem(f"{code} {names[code]}", code)
        self.many.list_changes(self.items)

    # deciding

    def accept(self) -> None:
        """Accept the proposal shown and go on."""
        self._decide(proposals.ACCEPTED)

    def reject(self) -> None:
        """Reject the proposal shown and go on."""
        self._decide(proposals.REJECTED)

    def relabel(self) -> None:
        """Accept the place with another class and go on."""
        code = self.classes.currentData()
        if code is not None and self.item is not None:
            if int(code) == self.item.old_class:
                self._decide(proposals.REJECTED)  # the old class is no change
            else:
                name = self.classes.currentText().split(" ", 1)[-1]
                self._decide(proposals.ACCEPTED, int(code), name)

    def skip(self) -> None:
        """Go to the next open proposal and leave this one open."""
        self._go(proposals.next_open(self.items, self.place))

    def accept_all(self) -> int:
        """Accept every open proposal above the confidence, of the chosen change; how many."""
        chosen = self.many.chosen()
        if chosen:
            self._write(chosen, proposals.ACCEPTED)
            self._go(proposals.next_open(self.items, self.place - 1))
            self.said.emit(tr("{n:,} accepted; Undo takes them back.").format(n=len(chosen)))
        return len(chosen)

    def undo(self) -> None:
        """Take the last decision back and show that proposal again."""
        if not self._undo:
            return
        before, old_items, place = self._undo.pop()
        proposals.restore(self.layer, before)
        by_fid = {item.fid: item for item in old_items}
        self.items = [by_fid.get(item.fid, item) for item in self.items]
        self._go(place)
        text = tr("Open again: {n:,}.") if len(old_items) > 1 else tr("Taken back.")
        self.said.emit(text.format(n=len(old_items)))

    def _decide(self, status: str, code=None, name: str = "") -> None:
        if self.item is None:
            return
        self._write([self.item], status, code, name)
        word = tr("Accepted") if status == proposals.ACCEPTED else tr("Rejected")
        text = tr("{word}: {change}").format(word=word, change=proposals.change_of(self.item))
        self._go(proposals.next_open(self.items, self.place))
        self.said.emit(text)

    def _write(self, chosen: list, status: str, code=None, name: str = "") -> None:
        before = proposals.decide(self.layer, [i.fid for i in chosen], status, code, name)
        self._undo.append((before, chosen, self.place))
        fids = {item.fid for item in chosen}
        told = {"status": status}
        if code is not None:
            told.update(new_class=code, new_name=name)
        self.items = [replace(i, **told) if i.fid in fids else i for i in self.items]

    def _go(self, place: int) -> None:
        self.place = place
        if self.item is not None:
            proposals.remember(self.layer, self.item.fid)
        self._show()
        self.moved.emit()

    # showing

    def _show(self) -> None:
        counted = [i.status for i in self.items]
        self.counts.setText(
            tr("{open:,} open, {accepted:,} accepted, {rejected:,} rejected").format(
                open=counted.count(proposals.OPEN), accepted=counted.count(proposals.ACCEPTED),
                rejected=counted.count(proposals.REJECTED),
            )
        )  # fmt: skip
        item = self.item
        self.current.setText(
            proposals.ended(self.items) if item is None
            else proposals.told(item, self.layer, self._geometry(), QgsProject.instance())
        )  # fmt: skip
        for button in (self.accept_button, self.reject_button, self.skip_button,
                       self.relabel_button):  # fmt: skip
            button.setEnabled(item is not None)
        self.many.follow(self.items)
        self.undo_button.setEnabled(bool(self._undo))
        self.follow_maps()
        self._arm()
        if self.in_sight:
            if item is not None:
                self.shown.zoom(self.layer, self._geometry())
            self._mark()

    def follow_maps(self) -> None:
        """Offer the comparison while its layers are in the project; say what is shown."""
        views = self.shown.views()
        self.flip_button.setEnabled(bool(views))
        self.swipe.setEnabled("before" in views)
        words = {"before": tr("map before"), "after": tr("map after"), "image": tr("image")}
        shown = tr("Shown: {what} (V)").format(what=words.get(self.shown.view))
        self.flip_button.setText(shown if self.shown.view in words else tr("Flip the view (V)"))

    def flip(self) -> None:
        """Show the map before, the map after, and the image in turn."""
        self.shown.flip()
        self.follow_maps()

    def _swiped(self, value: int) -> None:
        self.shown.swipe(value / 100)
        self.follow_maps()

    def _geometry(self):
        feature = self.layer.getFeature(self.item.fid)
        return feature.geometry() if feature.isValid() else QgsGeometry()

    def _mark(self) -> None:
        if self.item is None or self.layer is None or not self.in_sight:
            self.shown.unmark()
        else:
            self.shown.mark(self.layer, self._geometry())

    def release(self) -> None:
        """Let go of the canvas."""
        self.shown.release()
        self.keys.release()
