"""Campaign panel: several annotators' maps become one agreed map, and that becomes chips."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsProject
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QListWidget,
    QListWidgetItem,
    QPushButton,
)

from ..bridge import layers
from ..bridge.text import tr
from ..engine import taxonomy as taxonomies
from . import reports
from .campaign_review import ReviewSection
from .campaign_store import StoreSection
from .campaign_work import WorkSection
from .export import ExportSection
from .lists import Table, lines_high
from .panel import Panel
from .runner import Outcome
from .widgets import LayerCombo, choice, form, note, row, taxonomy_combo

METHODS = (
    ("dawidskene", "Weighted by care (Dawid-Skene)", "Careful annotators count more; care is "
     "estimated from how they agree."),
    ("majority", "Majority", "The class most annotators chose; ties stay undecided."),
    ("gold", "Weighted by gold", "Care is measured on pixels whose class is known."),
    ("median", "Median of ordered classes", "For classes that are steps of one scale."),
)  # fmt: skip


class LayerChecks(QListWidget):
    """Rasters of the project that pass a test, with a box to tick each."""

    def __init__(self, accepts, changed, parent=None):
        super().__init__(parent)
        self._accepts = accepts
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        lines_high(self, 4)
        self.itemChanged.connect(lambda _item: changed())

    def reload(self) -> None:
        """List the layers that are open now; ticks stay."""
        ticked = {layer.id() for layer in self.layers()}
        found = [x for x in QgsProject.instance().mapLayers().values() if self._accepts(x)]
        found.sort(key=lambda layer: layer.name().lower())
        known = [self.item(i).data(Qt.ItemDataRole.UserRole) for i in range(self.count())]
        names = [self.item(i).text() for i in range(self.count())]
        if known == [x.id() for x in found] and names == [x.name() for x in found]:
            return
        self.blockSignals(True)
        self.clear()
        for layer in found:
            item = QListWidgetItem(layer.name())
            item.setData(Qt.ItemDataRole.UserRole, layer.id())
            item.setToolTip(layer.source())
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            on = layer.id() in ticked
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
            self.addItem(item)
        self.blockSignals(False)

    def layers(self) -> list:
        """The ticked layers that are still open."""
        project = QgsProject.instance()
        items = [self.item(i) for i in range(self.count())]
        ids = [
            item.data(Qt.ItemDataRole.UserRole)
            for item in items
            if item.checkState() == Qt.CheckState.Checked
        ]
        return [project.mapLayer(key) for key in ids if project.mapLayer(key) is not None]

    def tick(self, chosen) -> None:
        """Tick exactly these layers."""
        ids = {layer.id() for layer in chosen}
        for i in range(self.count()):
            item = self.item(i)
            on = item.data(Qt.ItemDataRole.UserRole) in ids
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)


class CampaignPanel(Panel):
    """Campaign, one's own work and review above; `concord:consensus` and chips below."""

    KEY = "campaign"
    OBJECT_NAME = "ConcordCampaignPanel"
    TITLE = "Campaign"
    HINT = "Bring several annotators to one map, then export the parts they agree on as chips."

    def build(self) -> None:
        self.campaign = StoreSection(self)
        self.work = WorkSection(self, self.campaign)
        self.review = ReviewSection(self, self.campaign)
        column = self.section(tr("Consensus"))
        layout = form()
        self.from_store = QCheckBox(tr("Submitted work of the open campaign"))
        self.from_store.toggled.connect(self.refresh)
        self.campaign.opened.connect(self._campaign_opened)
        self.source_label = row(
            layout, tr("From"), self.from_store, tr("Off: class maps that are open as layers")
        )
        self.annotators = LayerChecks(layers.is_vote, self.refresh)
        tip = tr("Tick one class map per annotator; votes are never overwritten")
        self.annotators_label = row(layout, tr("&Annotators"), self.annotators, tip)
        self.method = choice()
        for key, title, _text in METHODS:
            self.method.addItem(tr(title), key)
        self.method.currentIndexChanged.connect(self.refresh)
        row(layout, tr("&Method"), self.method, tr("How votes become one class per pixel"))
        self.explained = note()
        layout.addRow(self.explained)
        self.gold = LayerCombo("raster", layers.is_class_raster, empty=True)
        self.gold.setLayer(None)
        self.gold.layerChanged.connect(self.refresh)
        tip = tr("Class map that is right wherever it has a class")
        self.gold_label = row(layout, tr("&Gold map"), self.gold, tip)
        self.taxonomy = taxonomy_combo()
        row(layout, tr("Class &scheme"), self.taxonomy, tr("Names and colours of the classes"))
        column.addLayout(layout)
        self.step(
            column,
            tr("&Build consensus"),
            "concord:consensus",
            self._need,
            self.run,
            tr("Adds the agreed map, how sure it is, and how far annotators agree"),
        )
        self._build_result(column)
        self.export = ExportSection(self)

    def _build_result(self, column) -> None:
        self.numbers = note()
        self.numbers.hide()
        column.addWidget(self.numbers)
        self.people = Table([tr("Annotator"), tr("Accuracy"), tr("Votes")])
        self.people.setToolTip(tr("Estimated share of votes that hit the consensus class"))
        column.addWidget(self.people)
        self.open_report = QPushButton(tr("&Open report"))
        self.open_report.hide()
        self.open_report.clicked.connect(lambda: reports.show(self._report_path))
        column.addWidget(self.open_report)
        self._report_path = ""

    def _campaign_opened(self) -> None:
        # Whoever comes next must not see how the others did.
        self.numbers.hide()
        self.people.fill([])
        self.open_report.hide()
        self.from_store.setChecked(self.campaign.store is not None)
        self.refresh()

    def store_boxes(self) -> list:
        """The sections that wait when the store does not answer."""
        sections = (getattr(self, name, None) for name in ("campaign", "work", "review"))
        return [section.box for section in sections if section is not None]

    def release(self) -> None:
        """Also let go of the store."""
        self.work.release()
        self.review.release()
        self.campaign.close()
        super().release()

    def updated(self) -> None:
        known = self.campaign.store is not None
        for widget in (self.from_store, self.source_label):
            widget.setVisible(known)
        for widget in (self.annotators, self.annotators_label):
            widget.setVisible(not (known and self.from_store.isChecked()))
        self.annotators.reload()
        self.export.updated()
        method = self.method.currentData()
        for key, _title, text in METHODS:
            if key == method:
                self.explained.setText(tr(text))
        asked = method == "gold" and not self._uses_store()
        self.gold.setVisible(asked)
        self.gold_label.setVisible(asked)

    def _uses_store(self) -> bool:
        return self.campaign.store is not None and self.from_store.isChecked()

    def _need(self) -> str:
        if self._uses_store():
            return ""
        self.annotators.reload()
        if self.annotators.count() < 2:
            return tr("Open the annotators' class maps: at least two rasters of one grid.")
        if len(self.annotators.layers()) < 2:
            return tr("Tick at least two annotators.")
        if self.method.currentData() == "gold" and self.gold.currentLayer() is None:
            return tr("Choose the gold map.")
        return ""

    def run(self) -> None:
        """Run `concord:consensus` and add what it made."""
        stem = self.target("consensus")
        method = self.method.currentData()
        of_store = self._uses_store()
        source = {"STORE": self.campaign.text} if of_store else {
            "ANNOTATIONS": self.annotators.layers(), "TAXONOMY": self.taxonomy.value(),
        }  # fmt: skip
        parameters = {
            **source,
            "METHOD": method,
            "OUTPUT": stem + ".tif",
            "AGREEMENT": stem + ".agreement.tif",
            "REPORT": stem + ".html",
        }
        if method == "gold" and not of_store:
            parameters["GOLD"] = self.gold.currentLayer()
        chosen = self.taxonomy.value()
        scheme = taxonomies.load(chosen) if chosen else None
        scheme = self.campaign.store.scheme if of_store else scheme

        def done(outcome: Outcome) -> None:
            path, project = outcome.results["OUTPUT"], self.project
            share = outcome.results["AGREEMENT"]
            layers.add_raster(share, tr("Agreement"), "agreement", project, visible=False)
            layers.add_raster(path, tr("Posterior"), "posterior", project, visible=False)
            made = layers.add_raster(path, tr("Consensus"), "consensus", project, scheme)
            self.export.suggest(made)
            self.show_report(reports.of(outcome))
            self._report_path = str(Path(str(outcome.results["REPORT"])).with_suffix(".html"))
            self.open_report.setVisible(Path(self._report_path).exists())
            text = tr("Consensus made in {s:.1f} s; it is chosen for the export below.")
            self.say(text.format(s=outcome.seconds))

        self.launch("concord:consensus", parameters, done)

    def show_report(self, report: dict) -> None:
        """Show agreement, what stayed undecided and each annotator's estimated accuracy."""
        text = tr("Agreement {a:.1f} % on average; {u:.1f} % of the pixels stay undecided.").format(
            a=100 * float(report.get("agreement_mean", 0)),
            u=100 * float(report.get("undecided_share", 0)),
        )
        if report.get("method") != report.get("asked"):  # then its first note says why
            text = "\n".join([text, *report.get("notes", [])[:1]])
        self.numbers.setText(text)
        # The majority does not judge people: this is how often they chose what most did.
        judged = report.get("method") != "majority"
        self.people.setHorizontalHeaderLabels(
            [tr("Annotator"), tr("Accuracy") if judged else tr("With the majority"), tr("Votes")]
        )
        self.numbers.show()
        people = report.get("annotators", [])
        rows = []
        for person in people:
            accuracy = person.get("accuracy")
            share = "–" if accuracy is None else f"{100 * accuracy:.1f} %"
            rows.append((person.get("name", ""), share, f"{person.get('votes', 0):,}"))
        self.people.fill(rows)
