"""Refine panel: proposals that repair a noisy land-cover map, with what changed and why."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsRasterLayer
from qgis.gui import QgsCheckableComboBox, QgsDoubleSpinBox, QgsSpinBox
from qgis.PyQt.QtCore import Qt, QTimer
from qgis.PyQt.QtWidgets import QFileDialog

from ..bridge import layers
from ..bridge.proposals import style as style_proposals
from ..bridge.text import tr
from ..engine import taxonomy as taxonomies
from . import reports
from .panel import Panel, box_of
from .refine_choices import ENGINES, models_to_ask
from .refine_result import RefineResult
from .review import ReviewQueue
from .runner import Outcome
from .widgets import LayerCombo, choice, form, note, row, taxonomy_combo


class RefinePanel(Panel):
    """Runs `concord:refinelabels`; nothing is changed, proposals and a new raster are added."""

    KEY = "refine"
    OBJECT_NAME = "ConcordRefinePanel"
    TITLE = "Refine"
    HINT = "Let the image correct a noisy class map. The map itself is not touched."

    def build(self) -> None:
        column = self.section(tr("Maps"))
        layout = form()
        self.labels = LayerCombo("raster", layers.is_class_raster)
        self.labels.layerChanged.connect(self.refresh)
        row(layout, tr("&Class map"), self.labels, tr("The map to correct: one class per pixel"))
        self.image = LayerCombo("raster", layers.is_imagery, likely=layers.likely_image)
        self.image.layerChanged.connect(self.refresh)
        row(layout, tr("&Image"), self.image, tr("The scene whose edges the classes should follow"))
        self.examples = LayerCombo("raster", layers.is_class_raster, empty=True)
        self.examples.setAllowEmptyLayer(True, tr("None"))
        self.examples.setLayer(None)
        tip = tr("Right labels in some places, 0 elsewhere; the automatic engine learns from them")
        row(layout, tr("E&xamples"), self.examples, tip)
        self.taxonomy = taxonomy_combo()
        self.taxonomy.changed.connect(self.refresh)
        row(layout, tr("Class &scheme"), self.taxonomy, tr("Names and colours of the classes"))
        column.addLayout(layout)
        self._build_method()
        self.step(
            self.body,
            tr("&Propose corrections"),
            "concord:refinelabels",
            self._need,
            self.run,
            tr("Adds the proposals and the corrected map; the class map stays as it is"),
        )
        self._build_result()
        self._build_review()

    def _build_method(self) -> None:
        column = self.section(tr("Method"))
        layout = form()
        self.engine = choice()
        for key, title, _text in ENGINES:
            self.engine.addItem(tr(title), key)
        self.engine.setCurrentIndex(self.engine.findData("auto"))
        self.engine.currentIndexChanged.connect(self.refresh)
        row(layout, tr("&Engine"), self.engine, tr("How neighbouring pixels are brought together"))
        self.explained = note()
        layout.addRow(self.explained)
        self.judge = choice()
        for title, key, about in models_to_ask():
            self.judge.addItem(title, key)
            self.judge.setItemData(self.judge.count() - 1, about, Qt.ItemDataRole.ToolTipRole)
        tip = tr("A trained model that the automatic engine asks where errors are no mere noise")
        row(layout, tr("As&k a model"), self.judge, tip)
        self.unsure = QgsCheckableComboBox()
        self.unsure.setDefaultText(tr("All classes"))
        tip = tr("Only pixels of these classes may change; none ticked means all")
        row(layout, tr("May c&hange"), self.unsure, tip)
        self.protect = QgsCheckableComboBox()
        self.protect.setDefaultText(tr("None"))
        tip = tr("Pixels of these classes never change, such as roads or water")
        row(layout, tr("P&rotect"), self.protect, tip)
        self.margin = QgsDoubleSpinBox()
        self.margin.setRange(0.0, 1.0)
        self.margin.setSingleStep(0.05)
        self.margin.setValue(0.1)
        self.margin.setClearValue(0.1)
        tip = tr("By how much of the votes a class must lead before a pixel changes: 0 to 1")
        row(layout, tr("&Margin"), self.margin, tip)
        self.smallest = QgsSpinBox()
        self.smallest.setRange(0, 400)
        self.smallest.setClearValue(0)
        self.smallest.setSuffix(tr(" pixels"))
        self.smallest.setSpecialValueText(tr("Any size"))
        tip = tr("Pixels; a change that would leave a smaller patch is held back")
        row(layout, tr("Mi&nimum patch"), self.smallest, tip)
        column.addLayout(layout)

    def _build_result(self) -> None:
        column = self.section(tr("Result"))
        self.result_box = box_of(column)
        self.result_box.hide()
        self.result = RefineResult()
        self.numbers = self.result.numbers
        column.addWidget(self.result)
        self._listed = None

    def _build_review(self) -> None:
        self.review_column = self.section(tr("Review"), collapsed=True)
        self.review = ReviewQueue(self.iface)
        self.review.failed.connect(self.fail)
        self.visibilityChanged.connect(self.review.set_in_front)
        self.review.said.connect(self.say)
        self.review.moved.connect(self.refresh)
        self._taken_up = ""  # the proposals whose maps are chosen and whose review is unfolded
        self.review_column.addWidget(self.review)
        self.apply_button = self.step(
            self.review_column,
            tr("Appl&y accepted"),
            "concord:applyproposals",
            self._need_accepted,
            self.apply,
            tr("Writes a new map with the accepted changes, and a log to revert them"),
        )
        self.step(
            self.review_column,
            tr("Revert a &batch…"),
            "concord:revertproposals",
            lambda: "",
            self.revert,
            tr("Restores the map before a batch, from its change log"),
        )

    def updated(self) -> None:
        ready = self.review.layer is not None and self.labels.currentLayer() is not None
        self.apply_button.setEnabled(self.apply_button.isEnabled() and ready)
        self.judge.setEnabled(self.engine.currentData() == "auto")
        self._take_up()
        for key, _title, text in ENGINES:
            if key == self.engine.currentData():
                self.explained.setText(tr(text))
        layer = self.labels.currentLayer()
        wanted = (layer.id() if layer is not None else "", self.taxonomy.value())
        if wanted != self._listed:
            self._listed = wanted
            self._guarded(lambda: self._list_classes(layer))

    def _take_up(self) -> None:
        """Go on with a review of an earlier day: its maps, and where it stopped."""
        self.review.follow_maps()
        layer = self.review.layer if self.review.items else None
        if layer is None or layer.id() == self._taken_up or not self.review.shown.views():
            return
        self._taken_up = layer.id()
        for view, combo in (("before", self.labels), ("image", self.image)):
            if self.review.shown.layer(view) is not None:
                combo.setLayer(self.review.shown.layer(view))
        box_of(self.review_column).setCollapsed(False)
        done = sum(item.status != "open" for item in self.review.items)
        if done:
            text = tr("The review goes on where it stopped: {done:,} of {n:,} are decided.")
            self.say(text.format(done=done, n=len(self.review.items)))

    def _list_classes(self, layer: QgsRasterLayer | None) -> None:
        boxes = (self.unsure, self.protect)
        for box in boxes:
            box.clear()
        if layer is None:
            return
        for entry in layers.class_entries(layer, self._scheme()):
            for box in boxes:
                text = f"{entry.code} {entry.name}"
                box.addItemWithCheckState(text, Qt.CheckState.Unchecked, entry.code)

    def _scheme(self):
        name = self.taxonomy.value()
        return taxonomies.load(name) if name else None

    def _need(self) -> str:
        if self.labels.currentLayer() is None:
            return tr("Open a class map: a raster with one whole number per pixel.")
        if self.image.currentLayer() is None:
            return tr("Open an image of the same place, or load a scene first.")
        return ""

    def run(self) -> None:
        """Run `concord:refinelabels` and add what it made."""
        labels = self.labels.currentLayer()
        stem = self.target("refined")
        parameters = {
            "IMAGE": self.image.currentLayer(),
            "LABELS": labels,
            "ENGINE": self.engine.currentData(),
            "MODEL": self.judge.currentData(),
            "UNSURE": ";".join(str(code) for code in self.unsure.checkedItemsData()),
            "PROTECT": ";".join(str(code) for code in self.protect.checkedItemsData()),
            "MARGIN": self.margin.value(),
            "MMU": self.smallest.value(),
            "EXAMPLES": self.examples.currentLayer(),
            "TAXONOMY": self.taxonomy.value(),
            "OUTPUT": stem + ".tif",
            "PROPOSALS": stem + ".gpkg",
            "REPORT": stem + ".html",
        }
        scheme = self._scheme()
        name, image = labels.name(), self.image.currentLayer()

        def done(outcome: Outcome) -> None:
            refined = tr("{name}, corrected").format(name=name)
            after = layers.add_raster(
                outcome.results["OUTPUT"], refined, "classes", self.project, scheme
            )
            title = tr("{name}, proposals").format(name=name)
            proposals = layers.add_vector(outcome.results["PROPOSALS"], title, self.project)
            layers.style_plain_classes(labels, scheme)  # to be compared with what comes after
            entries = layers.class_entries(labels, scheme)
            style_proposals(proposals, {e.code: e.colour for e in entries})
            box_of(self.review_column).setCollapsed(False)
            self.review.start(proposals, labels, after, image)
            self.result_box.show()
            self.result.fill(reports.of(outcome), outcome.results["REPORT"])
            self._tell_next(outcome.seconds)

        self.launch("concord:refinelabels", parameters, done)

    def _tell_next(self, seconds: float) -> None:
        """What there is now, and what to do with it."""
        if self.review.items:
            text = tr("{n:,} proposals in {s:.1f} s. Decide on them under Review, then apply.")
            # The queue is drawn a moment later.
            QTimer.singleShot(0, lambda: self.look_at(self.apply_button))
        else:
            text = tr("Nothing to correct, found in {s:.1f} s; the map can stay as it is.")
        self.say(text.format(n=len(self.review.items), s=seconds))

    # the review

    def _need_accepted(self) -> str:
        if self.review.layer is None:
            return ""  # the queue itself says that there are no proposals; `updated` turns it off
        if not any(item.status == "accepted" for item in self.review.items):
            return tr("Accept at least one proposal.")
        return ""

    def apply(self) -> None:
        """Run `concord:applyproposals` on what was accepted and add the new map."""
        stem, scheme = self.target("applied"), self._scheme()
        labels = self.labels.currentLayer()
        after = self.project.mapLayer(self.review.shown.maps.get("after", ""))
        parameters = {
            "LABELS": labels,
            "PROPOSALS": self.review.layer,
            "ACCEPT": "accepted",
            "GRID": after,
            "TAXONOMY": self.taxonomy.value(),
            "OUTPUT": stem + ".tif",
            "CHANGES": stem + ".changes.json",
        }
        title = tr("{name}, accepted changes").format(name=labels.name())

        def done(outcome: Outcome) -> None:
            layers.add_raster(outcome.results["OUTPUT"], title, "classes", self.project, scheme)
            text = tr(
                "{n:,} pixels changed in the new map. Revert a batch… takes them back: {log}."
            )
            log = Path(outcome.results["CHANGES"]).name
            self.say(text.format(n=outcome.results["PIXELS"], log=log))

        self.launch("concord:applyproposals", parameters, done)

    def revert(self, log: str = "") -> None:
        """Ask for a change log and run `concord:revertproposals` on the raster beside it."""
        if not log:
            caption, kind = tr("The change log of the batch"), tr("Change logs (*.changes.json)")
            folder = str(Path(self.target("x")).parent)
            log, _ = QFileDialog.getOpenFileName(self, caption, folder, kind)
        if not log:
            return
        applied = log.replace(".changes.json", ".tif")
        scheme = self._scheme()
        parameters = {"INPUT": applied, "CHANGES": log, "OUTPUT": self.target("reverted") + ".tif"}

        def done(outcome: Outcome) -> None:
            title = tr("{name}, reverted").format(name=Path(applied).stem)
            layers.add_raster(outcome.results["OUTPUT"], title, "classes", self.project, scheme)
            same = tr("The map is pixel for pixel the one before the batch.")
            other = tr("The batch is reverted; later changes elsewhere were kept.")
            self.say(same if outcome.results["IDENTICAL"] else other)

        self.launch("concord:revertproposals", parameters, done)

    def release(self) -> None:
        self.review.release()
        super().release()
