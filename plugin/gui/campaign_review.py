"""The Campaign panel for lead and reviewers: the queue of doubt, votes side by side, decisions."""

from __future__ import annotations

from pathlib import Path

from qgis.PyQt.QtCore import QObject
from qgis.PyQt.QtWidgets import QCheckBox

from ..bridge import settings
from ..bridge.text import tr
from ..engine.campaign import drawings
from ..engine.errors import ConcordError
from . import reports
from .campaign_decide import Decisions
from .campaign_views import VoteViews
from .lists import Table
from .panel import box_of
from .plots import Plots
from .widgets import side_by_side


class ReviewSection(Decisions, QObject):
    """Votes are looked at and never changed; what is decided lies over the consensus."""

    def __init__(self, panel, stores):
        QObject.__init__(self, panel)
        self.panel, self.stores = panel, stores
        self.task = None
        self.votes: list = []
        self.listed: list = []
        self.page = ""
        self.report: dict = {}
        self._column = panel.section(tr("Review"))
        self.box = box_of(self._column)
        self.views = VoteViews(panel.iface)
        self._build_queue()
        self._build_decision()
        stores.opened.connect(self._store_changed)
        self._store_changed()

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
        self.people = Table([tr("Person"), tr("Known"), tr("95 %"), tr("Drift")])
        self.people.setToolTip(
            tr("Right away from edges on tasks with known answers, its interval over tasks, and "
               "how agreement with the consensus changed from the first to the last quarter")
        )  # fmt: skip
        self._column.addWidget(self.people)
        self.plots = Plots(lambda theme: drawings.of_report(self.report, theme))
        self._column.addWidget(self.plots)
        self.blind = QCheckBox(tr("Without names"))
        self.blind.setChecked(True)
        self.blind.setToolTip(tr("Votes are shown as A, B, C, so that names do not sway you"))
        self.show_button = self._button(
            tr("Show votes"),
            tr("Opens a map for every vote on the chosen task, side by side"),
            self.show_votes,
        )
        self.report_button = self._button(
            tr("Open report"), tr("Progress, gold scores, drift"), self._open_report
        )
        self._column.addWidget(side_by_side(self.blind, self.show_button, self.report_button))

    @property
    def store(self):
        return self.stores.store

    def _store_changed(self) -> None:
        self.box.setVisible(self.store is not None and self.store.role != "annotator")
        self.listed, self.page, self.report = [], "", {}
        self.plots.reload()
        self.views.close()
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
            self.report = report
            self.plots.reload()
            self.show_queue(report["queue"])
            count = len(report["queue"])
            self.panel.say(tr("{n} tasks, the most doubtful first.").format(n=count))

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
        self.listed = rows
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
        """Zoom to the chosen task and open its votes, each in a map of its own."""
        from ..bridge import campaign_desk, campaign_layers

        line = self.queue.currentRow()
        if not 0 <= line < len(self.listed):
            raise ConcordError(tr("Choose a task in the list."))
        store, number, blind = self.store, self.listed[line]["task"], self.blind.isChecked()
        folder = settings.output_folder(self.panel.project) / "votes"
        self.views.close()
        campaign_layers.hide_votes(self.panel.project)  # its files are about to be written anew
        self.stores.ask(
            lambda: campaign_desk.votes_of(store, number, folder, blind),
            lambda answer: self._shown(*answer),
        )

    def _shown(self, task, votes: list) -> None:
        from ..bridge import campaign_layers

        project = self.panel.project
        missing = campaign_layers.add_imagery(self.store, project)
        campaign_layers.lift(self.stores.task_layer(), project)
        self.votes = votes
        made = campaign_layers.show_votes(self.store, task, votes, project)
        self.panel.work.zoom(campaign_layers.bounds_of(self.store, task))
        below = campaign_layers.imagery(self.store, project)
        self.views.show(tr("Votes on task {n}").format(n=task.id), made, below)
        self._choose(task)
        self.panel.say(missing[0] if missing else "")

    def release(self) -> None:
        """Take the votes' maps away."""
        self.views.close()
