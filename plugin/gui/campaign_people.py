"""What a lead does now and then: copies to take away and bring back, who takes part."""

from __future__ import annotations

from qgis.PyQt.QtWidgets import QFileDialog, QInputDialog, QMenu, QToolButton

from ..bridge.text import tr


class Members:
    """The half of `StoreSection` about people; it has the panel, the open store and its names."""

    def _more(self) -> QToolButton:
        """What a lead does now and then."""
        button = QToolButton()
        button.setText(tr("More"))
        button.setToolTip(tr("Copies to take away, and who takes part"))
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(button)
        for text, act in (
            (tr("Copy for an annotator…"), self._ask_copy),
            (tr("Merge a copy…"), self._ask_merge),
            (tr("Add an annotator…"), self._ask_add),
            (tr("Let an annotator go…"), self._ask_drop),
        ):
            action = menu.addAction(text)
            action.triggered.connect(lambda _on=False, a=act: self.panel._guarded(a))
        button.setMenu(menu)
        button.setEnabled(False)
        return button

    def _annotators(self) -> list:
        return [name for name, role, _kind in self.people_of if role == "annotator"]

    def _pick(self, title: str) -> str:
        name, fine = QInputDialog.getItem(
            self.panel, title, tr("Annotator"), self._annotators(), 0, False
        )
        return name if fine else ""

    def _ask_copy(self) -> None:
        name = self._pick(tr("Copy for an annotator"))
        if not name:
            return
        path, _ = QFileDialog.getSaveFileName(
            self.panel, tr("Save the copy"), f"{name}.gpkg", tr("Campaigns (*.gpkg)")
        )
        if path:
            self.copy_for(name, path if path.lower().endswith(".gpkg") else path + ".gpkg")

    def copy_for(self, name: str, path: str) -> None:
        """Run `concord:copycampaign`."""

        def done(outcome) -> None:
            text = tr("{path} holds {n} tasks for {name}.")
            self.panel.say(text.format(path=path, n=outcome.results["TASKS"], name=name))

        parameters = {"STORE": self.text, "PERSON": name, "OUTPUT": path}
        self.panel.launch("concord:copycampaign", parameters, done)

    def _ask_merge(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self.panel, tr("Merge a copy"), "", tr("Campaigns (*.gpkg)")
        )
        if path:
            self.merge(path)

    def merge(self, path: str) -> None:
        """Run `concord:mergecampaign`."""

        def done(outcome) -> None:
            self.refresh()
            text = tr("{n} versions were added, {c} conflicts; both sides are kept.")
            added, conflicts = outcome.results["ADDED"], outcome.results["CONFLICTS"]
            self.panel.say(text.format(n=added, c=conflicts))

        self.panel.launch("concord:mergecampaign", {"STORE": self.text, "INPUT": path}, done)

    def _ask_add(self) -> None:
        name, fine = QInputDialog.getText(self.panel, tr("Add an annotator"), tr("Name"))
        if fine:
            self.add(name)

    def add(self, name: str) -> None:
        """One more person takes part."""
        from ..bridge import campaign_lead

        store = self.store

        def added(made: str) -> None:
            text = tr("{name} takes part.").format(name=made)
            self.open(self.text, store.me, then=lambda: self.panel.say(text))

        self.ask(lambda: campaign_lead.add_annotator(store, name), added)

    def _ask_drop(self) -> None:
        name = self._pick(tr("Let an annotator go"))
        if name:
            self.drop(name)

    def drop(self, name: str) -> None:
        """Somebody leaves; what they submitted stays."""
        from ..bridge import campaign_lead

        store = self.store

        def dropped(answer: tuple) -> None:
            free, view, self.people_of = answer
            self.show_overview(view)
            self.panel.say(tr("{name} has left; {n} tasks are free.").format(name=name, n=free))

        self.ask(
            lambda: (campaign_lead.drop_annotator(store, name), store.overview(), store.people()),
            dropped,
        )
