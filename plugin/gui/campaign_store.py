"""The Campaign panel's first part: which campaign, who I am in it, and how far it is."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsDataSourceUri, QgsProviderRegistry
from qgis.PyQt.QtCore import QObject, pyqtSignal
from qgis.PyQt.QtWidgets import QFileDialog, QPushButton

from ..bridge import layers, settings
from ..bridge.campaign_calls import StoreCalls
from ..bridge.text import tr
from ..engine.errors import ConcordError
from .campaign_people import Members
from .lists import Table
from .panel import box_of
from .widgets import choice, form, note, row, side_by_side

REMEMBERED = "campaigns"


def _shown(text: str) -> str:
    """A store that is no known connection, without the password that its text may hold."""
    if "=" not in text:
        return text
    uri = QgsDataSourceUri(text)
    return tr("{name} on {host}").format(name=uri.database(), host=uri.host() or uri.service())


class StoreSection(Members, QObject):
    """Opens a store for the panel it belongs to; `opened` is emitted when it changes."""

    opened = pyqtSignal()

    def __init__(self, panel):
        QObject.__init__(self, panel)
        self.panel = panel
        self.store = None
        self.text = ""
        self.people_of: list = []  # (name, role, kind) of everybody in the open campaign
        self._tasks = ""
        self.calls = StoreCalls(self)
        self.calls.failed.connect(panel.fail)
        self.calls.lost.connect(self._lost)
        self.calls.waiting.connect(self._waiting)
        column = panel.section(tr("Campaign"))
        self.box = box_of(column)
        layout = form()
        self.combo = choice()
        self.combo.activated.connect(lambda _index: self._chosen())
        tip = tr("A GeoPackage for one desk, a PostgreSQL connection of QGIS for a team")
        row(layout, tr("Store"), self.combo, tip)
        self.person = choice()
        self.person.activated.connect(lambda _index: self._renamed())
        tip = tr("Who you are; in PostgreSQL your database role decides")
        self.person_label = row(layout, tr("You are"), self.person, tip)
        column.addLayout(layout)
        self.new_button = QPushButton(tr("New campaign…"))
        self.new_button.setToolTip(tr("Plan places, people and quality checks"))
        self.new_button.clicked.connect(lambda _on=False: self._new())
        self.file_button = QPushButton(tr("Open file…"))
        self.file_button.setToolTip(tr("Open a campaign in a GeoPackage, or your copy of one"))
        self.file_button.clicked.connect(lambda _on=False: self._ask())
        self.more_button = self._more()
        column.addWidget(side_by_side(self.new_button, self.file_button, self.more_button))
        self.state = note()
        self.state.hide()
        column.addWidget(self.state)
        self.people = Table([tr("Person"), tr("Done"), tr("Minutes each"), tr("Flags")])
        self.people.setToolTip(tr("Submitted tasks of each annotator"))
        column.addWidget(self.people)
        self.reload()

    def reload(self, chosen: str = "") -> None:
        """List what was used before and the connections of QGIS."""
        metadata = QgsProviderRegistry.instance().providerMetadata("postgres")
        names = sorted(metadata.connections()) if metadata is not None else []
        self.combo.clear()
        self.combo.addItem(tr("None"), "")
        for path in settings.paths(REMEMBERED):
            self.combo.addItem(Path(path).stem, path)
        for name in names:
            self.combo.addItem(tr("{name} (database)").format(name=name), name)
        if chosen and self.combo.findData(chosen) < 0:
            self.combo.addItem(_shown(chosen), chosen)
        self.combo.setCurrentIndex(max(0, self.combo.findData(chosen or self.text)))

    def ask(self, work, done, failed=None) -> None:
        """Do `work()` with the store off this thread, then `done(its answer)` here.

        A second click while the store has not answered the first one is no second wish.
        """
        self.calls.start(work, lambda answer: self.panel._guarded(lambda: done(answer)), failed)

    def open(self, text: str, person: str = "", then=None) -> None:
        """Open a store; bad news leaves the panel without one. Raises ConcordError for its text."""
        from ..bridge import campaign_db, campaign_desk

        self.close()
        if not text:
            self.opened.emit()
            return
        try:
            where = campaign_db.address(text)
        except ConcordError:
            self.opened.emit()
            raise

        def entered(found) -> None:
            self._entered(text, where, found)
            if then is not None:
                then()

        self.ask(lambda: campaign_desk.enter(where, person), entered, self.opened.emit)

    def _entered(self, text: str, where, found) -> None:
        self.store, self.text, self.people_of = found.store, text, found.people
        if where.kind == "file":
            settings.add_path(REMEMBERED, where.target)
        self.reload(text)
        self._list_people(where)
        self._show_tasks(where)
        self.more_button.setEnabled(self.store.role == "lead")
        self.show_overview(found.overview)
        self.opened.emit()

    def close(self) -> None:
        """Let go of the store; a call that is under way ends by itself."""
        store = self.store
        self.calls.drop(store.close if store is not None else lambda: None)
        self.store, self.text, self.people_of = None, "", []
        self.state.hide()
        self.more_button.setEnabled(False)
        self.people.fill([])
        self.person.clear()
        self.person.setEnabled(False)

    def _lost(self) -> None:
        self.close()
        self.reload()
        self.opened.emit()

    def _waiting(self, on: bool) -> None:
        """Buttons rest while the store is slow to answer."""
        for box in self.panel.store_boxes():
            box.setEnabled(not on)
        if on:
            self.panel.say(tr("Waiting for the campaign store…"))
        elif self.panel.status.text() == tr("Waiting for the campaign store…"):
            self.panel.say("")

    def _list_people(self, where) -> None:
        names = [name for name, _role, _kind in self.people_of]
        names = names if where.kind == "file" else [self.store.me]
        for name in names:
            self.person.addItem(name, name)
        self.person.setCurrentIndex(max(0, self.person.findData(self.store.me)))
        self.person.setEnabled(len(names) > 1)

    def _show_tasks(self, where) -> None:
        from ..bridge import campaign_layers

        project = self.panel.project
        if self._tasks and project.mapLayer(self._tasks) is not None:
            project.removeMapLayer(self._tasks)
        layer = campaign_layers.task_layer(self.text, where, self.store.task_table)
        self._tasks = layers.add_layer(layer, project).id()

    def task_layer(self):
        """The tasks on the map, None when they were taken off."""
        return self.panel.project.mapLayer(self._tasks) if self._tasks else None

    def refresh(self) -> None:
        """Ask how far the campaign is, and show it."""
        store = self.store
        if store is not None:
            self.ask(store.overview, self.show_overview)

    def show_overview(self, view: dict) -> None:
        """Show how far the campaign is, in words and on the map."""
        from ..bridge import campaign_layers

        total = sum(view["tasks"].values())
        counts = tr("{title}: {n} tasks, {voted} voted, {reviewed} reviewed, {sealed} sealed.")
        text = counts.format(
            title=self.store.settings.title, n=total, voted=view["tasks"].get("voted", 0),
            reviewed=view["tasks"].get("reviewed", 0), sealed=view["tasks"].get("sealed", 0),
        )  # fmt: skip
        if view["left"]:
            text += " " + tr("About {h:.1f} hours of work remain.").format(h=view["hours_left"])
        self.state.setText(text)
        self.state.show()
        self.people.fill(
            [
                (p["name"], f"{p['submitted']} / {p['tasks']}",
                 f"{p['seconds'] / 60 / p['submitted']:.1f}" if p["submitted"] else "–", p["flags"])
                for p in view["people"]
            ]
        )  # fmt: skip
        layer = self.task_layer()
        if layer is not None:
            campaign_layers.show_states(layer, view)

    def _chosen(self) -> None:
        text = self.combo.currentData()
        self.panel._guarded(lambda: self.open(text))

    def _renamed(self) -> None:
        text, name = self.text, self.person.currentData()
        self.panel._guarded(lambda: self.open(text, name))

    def _ask(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self.panel, tr("Open a campaign"), "", tr("Campaigns (*.gpkg)")
        )
        if path:
            self.panel._guarded(lambda: self.open(path))

    def _new(self) -> None:
        from .campaign_wizard import CampaignWizard

        wizard = CampaignWizard(self.panel.iface, self.panel)
        wizard.accepted.connect(lambda: self.create(wizard.parameters()))
        wizard.setModal(True)
        wizard.show()

    def create(self, parameters: dict) -> None:
        """Run `concord:createcampaign` and open what it made."""

        def done(outcome) -> None:
            ready = tr("The campaign is ready; send its file or connection to the others.")
            self.open(str(outcome.results["STORE"]), then=lambda: self.panel.say(ready))

        self.panel.launch("concord:createcampaign", parameters, done)
