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
        self._box = box_of(self._group)
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
        self._box.setVisible(mine)

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
        from ..bridge import campaign_layers

        store = self.store
        task = store.next_task()
        if task is None:
            self._leave()
            self.stores.refresh()
            self.panel.say(tr("You have no more tasks. Thank you."))
            return
        project = self.panel.project
        missing = campaign_layers.add_imagery(store, project)
        folder = settings.output_folder(project)
        self.layer = campaign_layers.label_layer(store, project, folder)
        kept = store.latest(task.id)
        self._layer_id = self.layer.id()
        campaign_layers.restore(self.layer, store, task, kept)
        self.task, self.seconds = task, float(kept.seconds) if kept else 0.0
        self.flag.setCurrentIndex(0)
        self.reason.clear()
        self._zoom(campaign_layers.bounds_of(store, task))
        self.panel.iface.setActiveLayer(self.layer)
        self._clock.start()
        self._show()
        self.panel.say(missing[0] if missing else self._returned(task.id))

    def _returned(self, task: int) -> str:
        why = self.store.returned_because(task)
        return tr("Returned: {why}").format(why=why) if why else ""

    def _zoom(self, box) -> None:
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
            folder = settings.output_folder(project)
            self.layer = campaign_layers.label_layer(self.store, project, folder)
            self._layer_id = self.layer.id()
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
        mask, shapes = self._work()
        number = self.store.save(self.task.id, mask, shapes, **self._extras())
        self.panel.say(tr("Version {n} is kept.").format(n=number))

    def submit(self) -> None:
        """Hand the task in and ask for the next one."""
        mask, shapes = self._work()
        number = self.task.id
        self.store.submit(number, mask, shapes, **self._extras())
        self._leave()
        self.stores.refresh()
        self.panel.say(tr("Task {n} is submitted.").format(n=number))

    def release(self) -> None:
        """Stop the clock."""
        self._clock.stop()
