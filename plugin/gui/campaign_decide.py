"""What a reviewer decides on a task, what a lead seals: votes stay, decisions lie over them."""

from __future__ import annotations

from qgis.PyQt.QtWidgets import QLineEdit, QPushButton

from ..bridge import settings
from ..bridge.text import tr
from ..engine.errors import ConcordError
from .widgets import choice, form, note, row, side_by_side

MERGE, REDRAW = "merge", "redraw"


class Decisions:
    """The deciding half of `ReviewSection`, which gives panel, stores, task, votes and queue."""

    def _button(self, text: str, tip: str, act) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tip)
        button.clicked.connect(lambda _on=False: self.panel._guarded(act))
        return button

    def _build_decision(self) -> None:
        self.status = note(tr("No task is chosen."))
        self._column.addWidget(self.status)
        layout = form()
        self.decision = choice()
        row(layout, tr("Decision"), self.decision, tr("What becomes of this task"))
        self.reason = QLineEdit()
        self.reason.setPlaceholderText(tr("Why, in a few words"))
        row(layout, tr("Reason"), self.reason, tr("Kept with the task; needed for a decision"))
        self._column.addLayout(layout)
        self.decide_button = self._button(
            tr("Decide"), tr("Writes a review; the votes stay as they are"), self.decide
        )
        self.return_button = self._button(
            tr("Return"), tr("Sends the chosen vote back to who made it"), self.send_back
        )
        self._column.addWidget(side_by_side(self.decide_button, self.return_button))
        self.seal_button = self._button(tr("Seal"), tr("Closes the task for everybody"), self.seal)
        self.unseal_button = self._button(
            tr("Unseal"), tr("Opens a sealed task again; needs a reason"), self.unseal
        )
        self.agreed_button = self._button(
            tr("Seal all agreed"),
            tr("Seals the listed tasks whose agreement reaches the campaign's threshold"),
            self.seal_agreed,
        )
        self._column.addWidget(
            side_by_side(self.seal_button, self.unseal_button, self.agreed_button)
        )

    def _choose(self, task) -> None:
        self.task = task
        self.decision.clear()
        if task is None:
            self.votes = []
            self.status.setText(tr("No task is chosen."))
        else:
            text = tr("Task {n}: {state}, {v} votes, review stage {s}.")
            self.status.setText(
                text.format(n=task.id, state=task.state, v=len(self.votes), s=task.stage)
            )
            for vote in self.votes:
                self.decision.addItem(tr("Pick {vote}").format(vote=vote.title), vote.person)
            if len(self.votes) > 1:
                self.decision.addItem(tr("Majority of these votes"), MERGE)
            self.decision.addItem(tr("My own drawing"), REDRAW)
        lead = self.store is not None and self.store.role == "lead"
        sealed = task is not None and task.state == "sealed"
        for widget in (self.decision, self.reason, self.decide_button, self.return_button):
            widget.setEnabled(task is not None and not sealed)
        self.reason.setEnabled(task is not None)
        self.seal_button.setEnabled(lead and task is not None and not sealed)
        self.unseal_button.setEnabled(lead and sealed)
        self.agreed_button.setEnabled(lead and bool(self.listed))

    # decisions

    def _chosen_mask(self, what: str) -> tuple:
        """(decision, mask, sources, shapes) of the choice."""
        from ..bridge import campaign_layers

        if what == MERGE:
            mask = campaign_layers.merged(self.votes, self.store.scheme.codes)
            return MERGE, mask, [vote.person for vote in self.votes], ""
        if what == REDRAW:
            project = self.panel.project
            folder = settings.output_folder(project)
            layer = campaign_layers.label_layer(self.store, project, folder)
            if layer.isEditable() and not layer.commitChanges(False):
                raise ConcordError(tr("Your labels could not be saved; see the layer's messages."))
            mask, shapes = campaign_layers.work_of(layer, self.store, self.task, project)
            if not mask.any():
                raise ConcordError(
                    tr("{layer} has no label in this task; draw it there first.").format(
                        layer=layer.name()
                    )
                )
            return REDRAW, mask, [self.store.me], shapes
        mask = next(vote.mask for vote in self.votes if vote.person == what)
        return "pick", mask, [what], ""

    def _act(self, act, text: str) -> None:
        """Do `act(store)` on the task with the store, then show what became of it."""
        store, number = self.store, self.task.id

        def work() -> tuple:
            act(store)
            return store.task(number), store.overview()

        self.stores.ask(work, lambda answer: self._after(*answer, text))

    def decide(self) -> None:
        """Write the review."""
        decision, mask, sources, shapes = self._chosen_mask(self.decision.currentData())
        number, reason, named = self.task.id, self.reason.text(), not self.blind.isChecked()
        if not reason.strip():
            raise ConcordError(tr("Give a reason for the decision."))
        self._act(
            lambda store: store.adjudicate(number, decision, reason, mask, sources, shapes, named),
            tr("Task {n} is decided."),
        )

    def send_back(self) -> None:
        """Return the chosen vote to its author."""
        person, number, reason = self.decision.currentData(), self.task.id, self._reason()
        if person in (MERGE, REDRAW):
            raise ConcordError(tr("Choose one person's vote to return."))
        if not reason:
            raise ConcordError(tr("Give a reason, so that it is known what to change."))
        self._act(lambda store: store.send_back(number, person, reason), tr("Task {n} goes back."))

    def _reason(self) -> str:
        return self.reason.text().strip()

    def seal(self) -> None:
        """Close the task."""
        number, reason = self.task.id, self._reason()
        self._act(lambda store: store.seal(number, reason), tr("Task {n} is sealed."))

    def unseal(self) -> None:
        """Open the task again."""
        number, reason = self.task.id, self._reason()
        self._act(lambda store: store.unseal(number, reason), tr("Task {n} is open again."))

    def seal_agreed(self) -> None:
        """Close every listed task that people agree on well enough."""
        from ..bridge import campaign_desk  # it brings rasterio, which a fresh QGIS lacks

        store = self.store
        wanted = store.settings
        flat = [
            q["task"] for q in self.listed
            if q["state"] in ("voted", "reviewed") and q["agreement"] >= wanted.min_agreement
            and q["undecided"] <= wanted.max_undecided and not q["flags"]
            and q.get("posterior", 1.0) >= wanted.min_posterior
        ]  # fmt: skip
        reached = tr("{p:.0f} % agreement").format(p=100 * wanted.min_agreement)
        if wanted.min_posterior:
            sure = tr("{p:.0f} % posterior").format(p=100 * wanted.min_posterior)
            reached = tr("{agreement} and {posterior}").format(agreement=reached, posterior=sure)
        if not flat:
            raise ConcordError(
                tr("No listed task reaches {what} without a flag.").format(what=reached)
            )
        reason = tr("at least {what}").format(what=reached)
        self.stores.ask(
            lambda: (campaign_desk.seal_all(store, flat, reason), store.overview()),
            self._sealed_all,
        )

    def _sealed_all(self, answer: tuple) -> None:
        (sealed, problem), view = answer
        for doubt in self.listed:
            if doubt["task"] in sealed:
                doubt["state"] = "sealed"
        self.show_queue(self.listed)
        self.stores.show_overview(view)
        self.panel.say(tr("{n} tasks are sealed.").format(n=len(sealed)))
        if problem:
            raise ConcordError(problem)

    def _after(self, task, view: dict, text: str) -> None:
        self.reason.clear()
        self._choose(task)
        for line, doubt in enumerate(self.listed):
            if doubt["task"] == task.id:
                doubt["state"] = task.state
                if line < self.queue.rowCount():
                    self.queue.item(line, 1).setText(task.state)
        self.stores.show_overview(view)
        self.panel.say(text.format(n=task.id))
