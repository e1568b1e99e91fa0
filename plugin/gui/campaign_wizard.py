"""Planning a campaign in three pages: places, people, quality."""

from __future__ import annotations

from qgis.core import QgsMapLayerProxyModel
from qgis.gui import QgsDoubleSpinBox, QgsFileWidget, QgsMapLayerComboBox, QgsSpinBox
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import (
    QCheckBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QWizard,
    QWizardPage,
)

from ..bridge import layers, settings
from ..bridge.text import tr
from .lists import lines_high
from .widgets import ExtentChooser, choice, form, note, row, taxonomy_combo

SAMPLING = (
    ("all", "Every chip"),
    ("random", "Random chips"),
    ("stratified", "The same number from every class of a map"),
    ("uncertainty", "Where a raster of doubt is highest"),
)
REVEAL = (("seal", "When a task is sealed"), ("submission", "After one's own submission"))


class _Page(QWizardPage):
    """A form that says in one sentence what is missing."""

    def __init__(self, title: str, text: str):
        super().__init__()
        self.setTitle(title)
        self.setSubTitle(text)
        self.form = form()
        self.problem = note()
        self.form.addRow(self.problem)
        self.setLayout(self.form)

    def says(self) -> str:
        """What is missing, or nothing."""
        return ""

    def isComplete(self) -> bool:  # noqa: N802 (Qt's name)
        text = self.says()
        self.problem.setText(text)
        return not text


class PlacesPage(_Page):
    """What is looked at, which classes, which chips."""

    def __init__(self, iface):
        super().__init__(tr("Places"), tr("What annotators look at, and which places they label."))
        from .campaign import LayerChecks

        self.imagery = LayerChecks(layers.is_imagery, self.completeChanged.emit)
        self.imagery.reload()
        tip = tr("The first ticked image gives the grid; dates can be switched while labelling")
        row(self.form, tr("&Images"), self.imagery, tip)
        self.scheme = taxonomy_combo()
        self.scheme.changed.connect(self.completeChanged.emit)
        row(self.form, tr("&Classes"), self.scheme, tr("Fixed for the whole campaign"))
        self.chip = QgsSpinBox()
        self.chip.setRange(8, 4096)
        self.chip.setValue(256)
        self.chip.setClearValue(256)
        row(self.form, tr("Chip &size"), self.chip, tr("Pixels along one side of a task"))
        self.extent = ExtentChooser(iface.mapCanvas())
        self.extent.combo.setCurrentIndex(self.extent.combo.findData(ExtentChooser.LAYER))
        row(self.form, tr("A&rea"), self.extent, tr("Chips that lie wholly inside become places"))
        self.sampling = choice()
        for key, title in SAMPLING:
            self.sampling.addItem(tr(title), key)
        self.sampling.currentIndexChanged.connect(self._sampling_changed)
        row(self.form, tr("Sam&pling"), self.sampling, tr("Which chips become tasks"))
        self.count = QgsSpinBox()
        self.count.setRange(0, 1_000_000)
        self.count.setSpecialValueText(tr("All"))
        self.count_label = row(self.form, tr("&Number"), self.count, tr("How many chips; 0 is all"))
        self.guide = QgsMapLayerComboBox()
        self.guide.setFilters(QgsMapLayerProxyModel.Filter.RasterLayer)
        self.guide_label = row(self.form, tr("&Guided by"), self.guide, tr("The map or raster"))
        self._sampling_changed()

    def _sampling_changed(self, *_) -> None:
        method = self.sampling.currentData()
        for widget in (self.count, self.count_label):
            widget.setVisible(method != "all")
        for widget in (self.guide, self.guide_label):
            widget.setVisible(method in ("stratified", "uncertainty"))
        self.completeChanged.emit()

    def says(self) -> str:
        if not self.imagery.layers():
            return tr("Tick at least one image.")
        if not self.scheme.value():
            return tr("Choose a class scheme.")
        if self.guide.isVisibleTo(self) and self.guide.currentLayer() is None:
            return tr("Open the raster that guides the choice of places.")
        return self.extent.problem()


class PeoplePage(_Page):
    """Who labels, who reviews, who leads."""

    def __init__(self):
        super().__init__(tr("People"), tr("One name a line. In PostgreSQL they are the roles."))
        self.names = QPlainTextEdit()
        lines_high(self.names, 5)
        self.names.textChanged.connect(self.completeChanged.emit)
        row(self.form, tr("&Annotators"), self.names, tr("Everybody who labels, one name a line"))
        self.reviewers = QPlainTextEdit()
        lines_high(self.reviewers, 2)
        self.reviewers.textChanged.connect(self.completeChanged.emit)
        row(self.form, tr("&Reviewers"), self.reviewers, tr("Who settles doubtful tasks"))
        self.lead = QLineEdit(settings.annotator())
        self.lead.textChanged.connect(self.completeChanged.emit)
        row(self.form, tr("&Lead"), self.lead, tr("Who runs the campaign; labels nothing"))
        self.copies = QgsSpinBox()
        self.copies.setRange(1, 15)
        self.copies.setValue(3)
        self.copies.valueChanged.connect(self.completeChanged.emit)
        row(self.form, tr("&Copies"), self.copies, tr("How many people label the same task"))
        self.overlap = QgsSpinBox()
        self.overlap.setRange(0, 100)
        self.overlap.setValue(100)
        self.overlap.setSuffix(" %")
        row(self.form, tr("&Overlap"), self.overlap, tr("Share of tasks with all copies"))
        self.pool = QCheckBox(tr("Whoever asks next gets a task"))
        row(self.form, tr("&On demand"), self.pool, tr("Off: every task is assigned in advance"))

    def people(self, box: QPlainTextEdit) -> list:
        """The names in a box, without empty lines."""
        return [line.strip() for line in box.toPlainText().splitlines() if line.strip()]

    def says(self) -> str:
        from ..engine.campaign.values import team
        from ..engine.errors import ConcordError

        names = self.people(self.names)
        try:
            team(names, self.people(self.reviewers), self.lead.text().strip())
        except ConcordError as error:
            return str(error)
        if self.copies.value() > len(names):
            return tr("{n} copies need {n} annotators; add names or lower the copies.").format(
                n=self.copies.value()
            )
        return ""


class QualityPage(_Page):
    """Known answers, reviews, and where the campaign is kept."""

    def __init__(self):
        super().__init__(tr("Quality and store"), tr("How work is checked and where it is kept."))
        self.gold = QgsMapLayerComboBox()
        self.gold.setFilters(QgsMapLayerProxyModel.Filter.RasterLayer)
        self.gold.setAllowEmptyLayer(True, tr("None"))
        self.gold.setLayer(None)
        tip = tr("A class map that is right where it has a class; such tasks test people unseen")
        row(self.form, tr("&Gold map"), self.gold, tip)
        self.share = QgsDoubleSpinBox()
        self.share.setRange(0, 50)
        self.share.setValue(10)
        self.share.setSuffix(" %")
        row(self.form, tr("Gold &share"), self.share, tr("Share of tasks that test people"))
        self.stages = QgsSpinBox()
        self.stages.setRange(0, 3)
        self.stages.setValue(1)
        row(self.form, tr("&Reviews"), self.stages, tr("Review stages before sealing, 0 to 3"))
        self.reveal = choice()
        for key, title in REVEAL:
            self.reveal.addItem(tr(title), key)
        row(self.form, tr("Others' &work is shown"), self.reveal, tr("Until then it is hidden"))
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
        self.places, self.people, self.quality = PlacesPage(iface), PeoplePage(), QualityPage()
        for page in (self.places, self.people, self.quality):
            self.addPage(page)
        self.setButtonText(QWizard.WizardButton.FinishButton, tr("Create"))

    def parameters(self) -> dict:
        """What was chosen, for the algorithm."""
        places, people, quality = self.places, self.people, self.quality
        method = places.sampling.currentData()
        values = {
            "IMAGERY": places.imagery.layers(),
            "TAXONOMY": places.scheme.value(),
            "CHIP_SIZE": places.chip.value(),
            "SAMPLING": method,
            "SITES_COUNT": 0 if method == "all" else places.count.value(),
            "ANNOTATORS": ";".join(people.people(people.names)),
            "REVIEWERS": ";".join(people.people(people.reviewers)),
            "LEAD": people.lead.text().strip(),
            "COPIES": people.copies.value(),
            "OVERLAP": people.overlap.value() / 100,
            "POOL": people.pool.isChecked(),
            "GOLD_SHARE": quality.share.value() / 100,
            "STAGES": quality.stages.value(),
            "REVEAL": quality.reveal.currentData(),
            "TITLE": quality.name.text().strip(),
            "STORE": quality.store(),
        }
        if places.extent.value() is not None:
            values["EXTENT"] = places.extent.value()
        if method in ("stratified", "uncertainty"):
            key = "STRATA" if method == "stratified" else "UNCERTAINTY"
            values[key] = places.guide.currentLayer()
        if quality.gold.currentLayer() is not None:
            values["GOLD"] = quality.gold.currentLayer()
        return values
