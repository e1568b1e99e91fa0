"""The Campaign panel for an annotator: next task, labels of one's own, submit."""

from __future__ import annotations

from qgis.core import QgsApplication, QgsCoordinateTransform
from qgis.PyQt.QtCore import QObject, Qt, QTimer
from qgis.PyQt.QtWidgets import QLineEdit, QPushButton, QSlider

from ..bridge import settings
from ..bridge.text import tr
from ..engine.errors import ConcordError
from .panel import box_of
from .widgets import choice, form, note, row, side_by_side

FLAGS = (
    ("", "Nothing to flag"),
    ("cloud", "Cloud or shadow"),
    ("unclear", "Cannot tell the classes apart"),
    ("imagery", "Imagery is wrong or missing"),
    ("other", "Something else"),
)


class WorkSection(QObject):
    """One task at a time; time counts while QGIS is in front."""

    def __init__(self, panel, stores):
        super().__init__(panel)
        self.panel, self.stores = panel, stores
        self.task = None
        self.layer = None
        self._layer_id = ""
        self.seconds = 0.0
        self._group = panel.section(tr("My work"))
        self.box = box_of(self._group)
        self._build()
        self._clock = QTimer(self)
        self._clock.setInterval(1000)
        self._clock.timeout.connect(self._tick)
        stores.opened.connect(self._store_changed)
        self._store_changed()

    def _build(self) -> None:
        column = self._group
        self.next_button = QPushButton(tr("Next task"))
        self.next_button.setToolTip(tr("Opens your next place; one under way comes first"))
        self.next_button.clicked.connect(lambda _on=False: self.panel._guarded(self.next_task))
        column.addWidget(self.next_button)
        self.status = note()
        column.addWidget(self.status)
        self.dates = note()
        self.dates.hide()
        column.addWidget(self.dates)
        layout = form()
        self.confidence = QSlider(Qt.Orientation.Horizontal)
        self.confidence.setRange(0, 100)
        self.confidence.setValue(80)
        self.confidence.setTickInterval(25)
        row(layout, tr("Sureness"), self.confidence, tr("How sure you are of this task, 0 to 100"))
        self.flag = choice()
        for key, title in FLAGS:
            self.flag.addItem(tr(title), key)
        row(layout, tr("Flag"), self.flag, tr("A flag sends the task up in the lead's queue"))
        self.reason = QLineEdit()
        self.reason.setPlaceholderText(tr("Why, in a few words"))
        row(layout, tr("Reason"), self.reason, tr("What the lead should know"))
        column.addLayout(layout)
        self.save_button = QPushButton(tr("Save"))
        self.save_button.setToolTip(tr("Keeps a version in the campaign; you can go on later"))
        self.save_button.clicked.connect(lambda _on=False: self.panel._guarded(self.save))
        self.submit_button = QPushButton(tr("Submit"))
        self.submit_button.setToolTip(tr("Hands the task in; only the lead can return it"))
        self.submit_button.clicked.connect(lambda _on=False: self.panel._guarded(self.submit))
        column.addWidget(side_by_side(self.save_button, self.submit_button))

    @property
    def store(self):
        return self.stores.store

    def _store_changed(self) -> None:
        self._leave()
        self._put_away()
        mine = self.store is not None and self.store.role == "annotator"
        self.box.setVisible(mine)

    def _put_away(self) -> None:
        """Whoever comes next at this desk must not see the labels of the one before."""
        project, layer = self.panel.project, self.layer
        self.layer = None
        # A layer with unsaved labels stays: nothing of a person's is thrown away.
        if layer is not None and project.mapLayer(self._layer_id) is not None:
            if not layer.isModified():
                project.removeMapLayer(self._layer_id)

    def _leave(self) -> None:
        self.task = None
        self._clock.stop()
        self.show_dates([])
        self._show()

    def _tick(self) -> None:
        if QgsApplication.applicationState() == Qt.ApplicationState.ApplicationActive:
            self.seconds += 1
            self._show()

    def _show(self) -> None:
        on = self.task is not None
        for widget in (self.save_button, self.submit_button, self.confidence, self.flag,
                       self.reason):  # fmt: skip
            widget.setEnabled(on)
        if on:
            minutes, seconds = divmod(int(self.seconds), 60)
            text = tr("Task {n}, {m}:{s:02d}. Draw labels in your layer, then submit.")
            self.status.setText(text.format(n=self.task.id, m=minutes, s=seconds))
        else:
            self.status.setText(tr("No task is open."))

    def next_task(self) -> None:
        """Lock the next task, zoom to it, open imagery and my label layer."""
        from ..bridge import campaign_desk

        store = self.store
        self.stores.ask(lambda: campaign_desk.next_task(store), self._laid_out)

    def _laid_out(self, desk) -> None:
        from ..bridge import campaign_layers

        store, task = self.store, desk.task
        self.stores.show_overview(desk.overview)
        if task is None:
            self._leave()
            self.panel.say(tr("You have no more tasks. Thank you."))
            return
        project = self.panel.project
        missing = campaign_layers.add_imagery(store, project)
        campaign_layers.lift(self.stores.task_layer(), project)
        self._open_labels()
        campaign_layers.lift(self.layer, project)
        campaign_layers.restore(self.layer, store, task, desk.kept)
        self.task, self.seconds = task, float(desk.kept.seconds) if desk.kept else 0.0
        self.flag.setCurrentIndex(0)
        self.reason.clear()
        self.show_dates(desk.clear)
        self.zoom(campaign_layers.bounds_of(store, task))
        self.panel.iface.setActiveLayer(self.layer)
        self._clock.start()
        self._show()
        returned = tr("Returned: {why}").format(why=desk.returned) if desk.returned else ""
        self.panel.say(missing[0] if missing else returned)

    def _open_labels(self) -> None:
        from ..bridge import campaign_layers

        project = self.panel.project
        folder = settings.output_folder(project)
        self.layer = campaign_layers.label_layer(self.store, project, folder)
        self._layer_id = self.layer.id()

    def show_dates(self, dates: list) -> None:
        """Say how clear each date of the imagery is at this task."""
        words = []
        for d in dates:
            text = tr("{date}: {p:.0f} % clear") if d.known else tr("{date}: clouds unknown")
            text = tr("{date}: no data") if d.share is None else text
            words.append(text.format(date=d.date, p=100 * (d.share or 0)))
        self.dates.setText(" · ".join(words))
        self.dates.setToolTip("\n".join(f"{d.date}: {d.method}" for d in dates))
        self.dates.setVisible(bool(words))

    def zoom(self, box) -> None:
        """Show a box of the campaign's CRS on the map, with a margin."""
        from ..bridge.capture import qgis_crs

        canvas = self.panel.iface.mapCanvas()
        move = QgsCoordinateTransform(
            qgis_crs(self.store.settings.grid.crs),
            canvas.mapSettings().destinationCrs(),
            self.panel.project.transformContext(),
        )
        box = move.transformBoundingBox(box)
        box.scale(1.1)
        canvas.setExtent(box)
        canvas.refresh()

    def _work(self) -> tuple:
        from ..bridge import campaign_layers

        project = self.panel.project
        if self.layer is None or project.mapLayer(self._layer_id) is None:
            self._open_labels()
        if self.layer.isEditable() and not self.layer.commitChanges(False):
            raise ConcordError(tr("Your labels could not be saved; see the layer's messages."))
        return campaign_layers.work_of(self.layer, self.store, self.task, project)

    def _extras(self) -> dict:
        flag = self.flag.currentData()
        reason = self.reason.text().strip()
        if flag and not reason:
            raise ConcordError(tr("Give a reason for the flag."))
        return {"seconds": self.seconds, "confidence": self.confidence.value(), "flag": flag,
                "reason": reason}  # fmt: skip

    def save(self) -> None:
        """Keep a version in the store."""
        store, number, extras = self.store, self.task.id, self._extras()
        mask, shapes = self._work()
        self.stores.ask(
            lambda: store.save(number, mask, shapes, **extras),
            lambda version: self.panel.say(tr("Version {n} is kept.").format(n=version)),
        )

    def submit(self) -> None:
        """Hand the task in."""
        store, number, extras = self.store, self.task.id, self._extras()
        mask, shapes = self._work()

        def work() -> dict:
            store.submit(number, mask, shapes, **extras)
            return store.overview()

        def done(view: dict) -> None:
            self._leave()
            self.stores.show_overview(view)
            self.panel.say(tr("Task {n} is submitted.").format(n=number))

        self.stores.ask(work, done)

    def release(self) -> None:
        """Stop the clock."""
        self._clock.stop()
