"""The Campaign panel for lead and reviewers: the queue of doubt, votes side by side, decisions."""

from __future__ import annotations

from pathlib import Path

from qgis.PyQt.QtCore import QObject
from qgis.PyQt.QtWidgets import QCheckBox, QLineEdit, QPushButton

from ..bridge import settings
from ..bridge.text import tr
from ..engine.errors import ConcordError
from . import reports
from .lists import Table
from .panel import box_of
from .widgets import choice, form, note, row, side_by_side

MERGE, REDRAW = "merge", "redraw"


class ReviewSection(QObject):
    """Votes are looked at and never changed; what is decided lies over the consensus."""

    def __init__(self, panel, stores):
        super().__init__(panel)
        self.panel, self.stores = panel, stores
        self.task = None
        self.votes: list = []
        self._queue: list = []
        self.page = ""
        self._column = panel.section(tr("Review"))
        self._box = box_of(self._column)
        self._build_queue()
        self._build_decision()
        stores.opened.connect(self._store_changed)
        self._store_changed()

    def _button(self, text: str, tip: str, act) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tip)
        button.clicked.connect(lambda _on=False: self.panel._guarded(act))
        return button

    def _build_queue(self) -> None:
        self.find_button = self._button(
            tr("Find doubtful tasks"),
            tr("Sorts tasks by how unsure their votes leave the map, times area and flags"),
            self.find,
        )
        self._column.addWidget(self.find_button)
        self.queue = Table([tr("Task"), tr("State"), tr("Doubt"), tr("Agreement")])
        self.queue.setToolTip(tr("Worst first; double-click shows the votes"))
        self.queue.cellDoubleClicked.connect(lambda line, _column: self._show_line(line))
        self._column.addWidget(self.queue)
        self.people = Table([tr("Person"), tr("Known answers"), tr("95 %"), tr("Drift")])
        self.people.setToolTip(
            tr("Right away from edges on tasks with known answers, its interval over tasks, and "
               "how agreement with the consensus changed from the first to the last quarter")
        )  # fmt: skip
        self._column.addWidget(self.people)
        self.blind = QCheckBox(tr("Without names"))
        self.blind.setChecked(True)
        self.blind.setToolTip(tr("Votes are shown as A, B, C, so that names do not sway you"))
        self.show_button = self._button(
            tr("Show votes"),
            tr("Opens every vote on the chosen task as a layer"),
            self.show_votes,
        )
        self.report_button = self._button(
            tr("Open report"), tr("Progress, gold scores, drift"), self._open_report
        )
        self._column.addWidget(side_by_side(self.blind, self.show_button, self.report_button))

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

    @property
    def store(self):
        return self.stores.store

    def _store_changed(self) -> None:
        self._box.setVisible(self.store is not None and self.store.role != "annotator")
        self._queue, self.page = [], ""
        self.queue.fill([])
        self.people.fill([])
        self._choose(None)

    # the queue

    def find(self) -> None:
        """Run `concord:campaignreport` and list its queue."""
        stem = self.panel.target("campaign")

        def done(outcome) -> None:
            self.page = str(Path(str(outcome.results["REPORT"])).with_suffix(".html"))
            report = reports.of(outcome)
            self.show_people(report)
            self.show_queue(report["queue"])

        self.panel.launch(
            "concord:campaignreport",
            {"STORE": self.stores.text, "REPORT": stem + ".html"},
            done,
        )

    def show_people(self, report: dict) -> None:
        """How good everybody is, as far as it is known."""
        gold = {g["name"]: g for g in report["gold"]}

        def percent(value) -> str:
            return "–" if value is None else f"{100 * value:.1f} %"

        rows = []
        for person in report["course"]:
            score = gold.get(person["name"], {})
            low, high = score.get("low"), score.get("high")
            span = "–" if low is None else f"{100 * low:.0f} – {100 * high:.0f} %"
            drift = person["drift"]
            change = "–" if drift is None else f"{100 * drift:+.1f}"
            rows.append((person["name"], percent(score.get("accuracy_inside")), span, change))
        self.people.fill(rows)

    def show_queue(self, rows: list) -> None:
        """Fill the table with the report's queue, worst first."""
        self._queue = rows
        self.queue.fill(
            [
                (q["task"], q["state"], f"{100 * q['entropy']:.1f} %",
                 f"{100 * q['agreement']:.0f} %")
                for q in rows[:100]
            ]
        )  # fmt: skip
        if rows:
            self.queue.setCurrentCell(0, 0)
        self._choose(self.task)

    def _open_report(self) -> None:
        if not self.page:
            raise ConcordError(tr("Find the doubtful tasks first; that writes the report."))
        reports.show(self.page)

    def _show_line(self, line: int) -> None:
        self.queue.setCurrentCell(line, 0)
        self.panel._guarded(self.show_votes)

    def show_votes(self) -> None:
        """Zoom to the chosen task and open its votes."""
        from ..bridge import campaign_layers

        line = self.queue.currentRow()
        if not 0 <= line < len(self._queue):
            raise ConcordError(tr("Choose a task in the list."))
        task = self.store.task(self._queue[line]["task"])
        project = self.panel.project
        missing = campaign_layers.add_imagery(self.store, project)
        self.votes = campaign_layers.show_votes(
            self.store, task, settings.output_folder(project) / "votes", project,
            self.blind.isChecked(),
        )  # fmt: skip
        self.panel.work._zoom(campaign_layers.bounds_of(self.store, task))
        self._choose(task)
        self.panel.say(missing[0] if missing else "")

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
            for title, person, _mask in self.votes:
                self.decision.addItem(tr("Pick {vote}").format(vote=title), person)
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
        self.agreed_button.setEnabled(lead and bool(self._queue))

    # decisions

    def _chosen_mask(self, what: str) -> tuple:
        """(decision, mask, sources, shapes) of the choice."""
        from ..bridge import campaign_layers

        if what == MERGE:
            mask = campaign_layers.merged(self.votes, self.store.scheme.codes)
            return MERGE, mask, [person for _t, person, _m in self.votes], ""
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
        mask = next(m for _t, person, m in self.votes if person == what)
        return "pick", mask, [what], ""

    def decide(self) -> None:
        """Write the review."""
        decision, mask, sources, shapes = self._chosen_mask(self.decision.currentData())
        self.store.adjudicate(
            self.task.id, decision, self.reason.text(), mask, sources, shapes,
            not self.blind.isChecked(),
        )  # fmt: skip
        self._after(tr("Task {n} is decided."))

    def send_back(self) -> None:
        """Return the chosen vote to its author."""
        person = self.decision.currentData()
        if person in (MERGE, REDRAW):
            raise ConcordError(tr("Choose one person's vote to return."))
        if not self.reason.text().strip():
            raise ConcordError(tr("Give a reason, so that it is known what to change."))
        self.store.send_back(self.task.id, person, self.reason.text().strip())
        self._after(tr("Task {n} goes back."))

    def seal(self) -> None:
        """Close the task."""
        self.store.seal(self.task.id, self.reason.text().strip())
        self._after(tr("Task {n} is sealed."))

    def seal_agreed(self) -> None:
        """Close every listed task that people agree on well enough."""
        least = self.store.settings.min_agreement
        most = self.store.settings.max_undecided
        flat = [
            q["task"] for q in self._queue
            if q["state"] in ("voted", "reviewed") and q["agreement"] >= least
            and q["undecided"] <= most and not q["flags"]
        ]  # fmt: skip
        if not flat:
            raise ConcordError(
                tr("No listed task reaches {p:.0f} % agreement without a flag.").format(
                    p=100 * least
                )
            )
        for number in flat:
            self.store.seal(number, tr("agreement of at least {p:.0f} %").format(p=100 * least))
        for doubt in self._queue:
            if doubt["task"] in flat:
                doubt["state"] = "sealed"
        self.show_queue(self._queue)
        self.stores.refresh()
        self.panel.say(tr("{n} tasks are sealed.").format(n=len(flat)))

    def unseal(self) -> None:
        """Open the task again."""
        self.store.unseal(self.task.id, self.reason.text().strip())
        self._after(tr("Task {n} is open again."))

    def _after(self, text: str) -> None:
        number = self.task.id
        self.reason.clear()
        self._choose(self.store.task(number))
        for line, doubt in enumerate(self._queue):
            if doubt["task"] == number:
                doubt["state"] = self.task.state
                if line < self.queue.rowCount():
                    self.queue.item(line, 1).setText(self.task.state)
        self.stores.refresh()
        self.panel.say(text.format(n=number))
