"""Planning a campaign in five pages: places, people, known answers, quality, store."""

from __future__ import annotations

from qgis.core import QgsMapLayerProxyModel
from qgis.gui import QgsDoubleSpinBox, QgsFileWidget, QgsMapLayerComboBox, QgsSpinBox
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QColor
from qgis.PyQt.QtWidgets import (
    QComboBox,
    QHeaderView,
    QLineEdit,
    QListWidget,
    QTableWidget,
    QTableWidgetItem,
    QWizard,
)

from ..bridge.text import tr
from ..engine import crosswalk
from ..engine import taxonomy as taxonomies
from ..engine.errors import ConcordError
from .campaign_pages import GUIDES, Page, PeoplePage, PlacesPage
from .classes import swatch
from .lists import lines_high
from .widgets import choice, row, taxonomy_combo

REVEAL = (("seal", "When a task is sealed"), ("submission", "After one's own submission"))


def _percent(most: float, value: float) -> QgsDoubleSpinBox:
    box = QgsDoubleSpinBox()
    box.setRange(0, most)
    box.setDecimals(0)
    box.setValue(value)
    box.setClearValue(value)
    box.setSuffix(" %")
    return box


class KnownPage(Page):
    """Known answers, and how strictly people are judged by them."""

    def __init__(self, places):
        super().__init__(
            tr("Known answers"), tr("Tasks whose answer is known test everybody, unseen.")
        )
        self._places = places
        self.gold = QgsMapLayerComboBox()
        self.gold.setFilters(QgsMapLayerProxyModel.Filter.RasterLayer)
        self.gold.setAllowEmptyLayer(True, tr("None"))
        self.gold.setLayer(None)
        self.gold.layerChanged.connect(lambda _layer: self._gold_changed())
        tip = tr("A class map that is right where it has a class; left empty, nobody is tested")
        row(self.form, tr("&Gold map"), self.gold, tip)
        self.scheme = taxonomy_combo(tr("The campaign's"))
        self.scheme.changed.connect(self._gold_changed)
        tip = tr("The class scheme of the gold map; its classes are moved to the campaign's")
        self._of_gold = [self.scheme, row(self.form, tr("Its &classes"), self.scheme, tip)]
        self.losses = QListWidget()
        self.losses.setWordWrap(True)
        self.losses.setAlternatingRowColors(True)
        self.losses.setSelectionMode(QListWidget.SelectionMode.NoSelection)
        tip = tr("What the gold map says and the campaign's classes cannot")
        self._lost = row(self.form, tr("&Lost"), self.losses, tip)
        self.share = _percent(50, 10)
        tip = tr("Share of tasks that test people")
        self._of_gold += [self.share, row(self.form, tr("Gold &share"), self.share, tip)]
        self.tolerance = QgsSpinBox()
        self.tolerance.setRange(0, 20)
        self.tolerance.setValue(1)
        self.tolerance.setSuffix(tr(" px"))
        tip = tr("Pixels this near to an edge do not count when people are judged")
        row(self.form, tr("&Edge tolerance"), self.tolerance, tip)
        self._gold_changed()

    def initializePage(self) -> None:  # noqa: N802 (Qt's name)
        """The campaign's classes may have changed."""
        self._gold_changed()

    def _gold_changed(self) -> None:
        known = self.gold.currentLayer() is not None
        for widget in self._of_gold:
            widget.setVisible(known)
        walk = self._walk() if known else None
        lost = walk.losses if walk else ()
        self.losses.clear()
        self.losses.addItems([loss[:1].upper() + loss[1:] for loss in lost])
        for widget in (self.losses, self._lost):
            widget.setVisible(bool(lost))
        self.completeChanged.emit()

    def _walk(self):
        """From the gold map's classes to the campaign's; None when they are the same, or no way."""
        theirs, ours = self.scheme.value(), self._places.scheme.value()
        if not theirs or not ours:
            return None
        try:
            return crosswalk.between(taxonomies.load(theirs), taxonomies.load(ours))
        except ConcordError:
            return None

    def says(self) -> str:
        chosen = self.gold.currentLayer() is not None and self.scheme.value()
        if chosen and self._walk() is None:
            return tr("Choose classes for the gold map that have a way to the campaign's.")
        return ""


class QualityPage(Page):
    """What must be reached before a task is sealed, and what a mistake costs."""

    def __init__(self, places):
        super().__init__(tr("Quality"), tr("When a task is good enough, and what a mistake costs."))
        self._places = places
        self._build_thresholds()
        self.costs = QTableWidget(0, 2)
        self.costs.setHorizontalHeaderLabels([tr("Class"), tr("Cost")])
        header = self.costs.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.costs.verticalHeader().hide()
        self.costs.setTabKeyNavigation(False)
        lines_high(self.costs, 7)
        tip = tr("What a mistake costs; tasks whose doubt is about dear classes come first in the "
                 "lead's queue")  # fmt: skip
        row(self.form, tr("C&osts"), self.costs, tip)

    def _build_thresholds(self) -> None:
        self.agreement = _percent(100, 80)
        tip = tr("Tasks that reach this share of equal votes may be sealed without a review")
        row(self.form, tr("&Agreement"), self.agreement, tip)
        self.posterior = _percent(100, 0)
        tip = tr("They must be this sure, too: the mean posterior of their pixels; 0 asks nothing")
        row(self.form, tr("&Posterior"), self.posterior, tip)
        self.stages = QgsSpinBox()
        self.stages.setRange(0, 3)
        self.stages.setValue(1)
        row(self.form, tr("&Reviews"), self.stages, tr("Review stages before sealing, 0 to 3"))
        self.reveal = choice()
        for key, title in REVEAL:
            self.reveal.addItem(tr(title), key)
        row(self.form, tr("Others' &work is shown"), self.reveal, tr("Until then it is hidden"))

    def initializePage(self) -> None:  # noqa: N802 (Qt's name)
        """List the classes of the scheme that was chosen before."""
        classes = taxonomies.load(self._places.scheme.value()).classes
        if [self.costs.item(i, 0).text() for i in range(self.costs.rowCount())] == [
            c.name for c in classes
        ]:
            return
        self.costs.setRowCount(len(classes))
        for line, entry in enumerate(classes):
            item = QTableWidgetItem(swatch(QColor(entry.colour)), entry.name)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled)
            item.setData(Qt.ItemDataRole.UserRole, entry.code)
            item.setToolTip(entry.name)
            self.costs.setItem(line, 0, item)
            cost = QgsDoubleSpinBox()
            cost.setRange(0, 100)
            cost.setValue(1)
            cost.setClearValue(1)
            cost.setSingleStep(0.5)
            cost.setAccessibleName(tr("Cost of {name}").format(name=entry.name))
            self.costs.setCellWidget(line, 1, cost)

    def costs_text(self) -> str:
        """What COSTS gets: classes whose mistakes cost more or less than others."""
        lines = range(self.costs.rowCount())
        pairs = [
            (self.costs.item(i, 0).data(Qt.ItemDataRole.UserRole),
             self.costs.cellWidget(i, 1).value()) for i in lines
        ]  # fmt: skip
        return ";".join(f"{code}={cost:g}" for code, cost in pairs if cost != 1)


class KeepPage(Page):
    """What the campaign is called and where it is kept."""

    def __init__(self):
        super().__init__(tr("Store"), tr("Where tasks and votes are kept."))
        self.name = QLineEdit(tr("Campaign"))
        row(self.form, tr("&Title"), self.name, tr("Shown to everybody"))
        self.where = QComboBox()
        self.where.addItem(tr("GeoPackage"), "")
        from qgis.core import QgsProviderRegistry

        metadata = QgsProviderRegistry.instance().providerMetadata("postgres")
        for known in sorted(metadata.connections()) if metadata is not None else []:
            self.where.addItem(tr("{name} (database)").format(name=known), known)
        self.where.currentIndexChanged.connect(self._where_changed)
        row(self.form, tr("&Keep in"), self.where, tr("A file, or a PostgreSQL connection"))
        self.file = QgsFileWidget()
        self.file.setStorageMode(QgsFileWidget.StorageMode.SaveFile)
        self.file.setFilter(tr("Campaigns (*.gpkg)"))
        self.file.fileChanged.connect(lambda _path: self.completeChanged.emit())
        row(self.form, tr("&File"), self.file, tr("A new GeoPackage"), self.file.lineEdit())
        self.schema = QLineEdit("concord")
        self.schema.textChanged.connect(self.completeChanged.emit)
        self.schema_label = row(self.form, tr("S&chema"), self.schema, tr("A new schema"))
        self._where_changed()

    def _where_changed(self, *_) -> None:
        database = bool(self.where.currentData())
        self.file.setVisible(not database)
        self.form.labelForField(self.file).setVisible(not database)
        self.schema.setVisible(database)
        self.schema_label.setVisible(database)
        self.completeChanged.emit()

    def store(self) -> str:
        """What STORE gets."""
        connection = self.where.currentData()
        if connection:
            return f"{connection}/{self.schema.text().strip()}"
        path = self.file.filePath().strip()
        return path if not path or path.lower().endswith(".gpkg") else path + ".gpkg"

    def says(self) -> str:
        if self.where.currentData():
            return "" if self.schema.text().strip() else tr("Name a new schema.")
        return "" if self.file.filePath().strip() else tr("Choose the file of the campaign.")


class CampaignWizard(QWizard):
    """Collects the parameters of `concord:createcampaign`; it runs nothing itself."""

    def __init__(self, iface, parent=None):
        super().__init__(parent)
        self.setWindowTitle(tr("New campaign"))
        self.setWizardStyle(QWizard.WizardStyle.ClassicStyle)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
        self.places, self.people = PlacesPage(iface), PeoplePage()
        self.known, self.quality = KnownPage(self.places), QualityPage(self.places)
        self.keep = KeepPage()
        for page in (self.places, self.people, self.known, self.quality, self.keep):
            self.addPage(page)
        self.setButtonText(QWizard.WizardButton.FinishButton, tr("Create"))

    def parameters(self) -> dict:
        """What was chosen, for the algorithm."""
        people, known, quality = self.people, self.known, self.quality
        values = {
            **self._where(),
            "ANNOTATORS": ";".join(people.people(people.names)),
            "REVIEWERS": ";".join(people.people(people.reviewers)),
            "LEAD": people.lead.text().strip(),
            "COPIES": people.copies.value(),
            "OVERLAP": people.overlap.value() / 100,
            "POOL": people.pool.isChecked(),
            "MIN_AGREEMENT": quality.agreement.value() / 100,
            "MIN_POSTERIOR": quality.posterior.value() / 100,
            "TOLERANCE": known.tolerance.value(),
            "COSTS": quality.costs_text(),
            "STAGES": quality.stages.value(),
            "REVEAL": quality.reveal.currentData(),
            "TITLE": self.keep.name.text().strip(),
            "STORE": self.keep.store(),
        }
        if known.gold.currentLayer() is not None:
            values["GOLD"] = known.gold.currentLayer()
            values["GOLD_SHARE"] = known.share.value() / 100
            values["GOLD_TAXONOMY"] = known.scheme.value()
        return values

    def _where(self) -> dict:
        """Imagery, classes and places."""
        places = self.places
        method = places.sampling.currentData()
        values = {
            "IMAGERY": places.imagery.layers(),
            "TAXONOMY": places.scheme.value(),
            "SAMPLING": method,
            "SITES_COUNT": 0 if method == "all" else places.count.value(),
        }
        if places.polygons:
            values["SITES"] = places.sites.currentLayer()
        else:
            values["CHIP_SIZE"] = places.chip.value()
            if places.extent.value() is not None:
                values["EXTENT"] = places.extent.value()
        if method in GUIDES:
            key = "STRATA" if method == "stratified" else "UNCERTAINTY"
            values[key] = places.guide.currentLayer()
        return values
