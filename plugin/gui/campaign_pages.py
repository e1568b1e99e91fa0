"""The pages of the campaign wizard: places and people."""

from __future__ import annotations

from qgis.core import QgsMapLayerProxyModel, QgsProject
from qgis.gui import QgsMapLayerComboBox, QgsSpinBox
from qgis.PyQt.QtWidgets import QCheckBox, QLineEdit, QPlainTextEdit, QWizardPage

from ..bridge import layers, settings
from ..bridge.text import tr
from .lists import lines_high
from .widgets import ExtentChooser, LayerCombo, choice, form, note, row, taxonomy_combo

GRID, POLYGONS = "grid", "polygons"
PLACES = ((GRID, "Chips of a grid"), (POLYGONS, "Polygons of a layer"))
SAMPLING = (
    ("all", "Every place"),
    ("random", "Random places"),
    ("stratified", "The same number from every class of a map"),
    ("uncertainty", "Where a raster of doubt is highest"),
)
GUIDES = {
    "stratified": "A class map; every class gives the same number of places",
    "uncertainty": "A model's uncertainty, or how far models or annotators disagree; "
    "the highest means come first",
}


class Page(QWizardPage):
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


class PlacesPage(Page):
    """What is looked at, which classes, which chips."""

    def __init__(self, iface):
        super().__init__(tr("Places"), tr("What annotators look at, and which places they label."))
        from .campaign import LayerChecks

        self.imagery = LayerChecks(layers.is_imagery, self._imagery_changed)
        self.imagery.reload()
        tip = tr("The first ticked image gives the grid; dates can be switched while labelling")
        row(self.form, tr("&Images"), self.imagery, tip)
        self.scheme = taxonomy_combo()
        self.scheme.changed.connect(self.completeChanged.emit)
        row(self.form, tr("&Classes"), self.scheme, tr("Fixed for the whole campaign"))
        self.kind = choice()
        for key, title in PLACES:
            self.kind.addItem(tr(title), key)
        self.kind.currentIndexChanged.connect(self._kind_changed)
        row(self.form, tr("&Places"), self.kind, tr("What becomes a task"))
        self._build_places(iface)
        self._build_sampling()
        self._kind_changed()
        self._sampling_changed()

    def _build_places(self, iface) -> None:
        self.chip = QgsSpinBox()
        self.chip.setRange(8, 4096)
        self.chip.setValue(256)
        self.chip.setClearValue(256)
        label = row(self.form, tr("Chip &size"), self.chip, tr("Pixels along one side of a task"))
        self.extent = ExtentChooser(iface.mapCanvas())
        self.extent.combo.setCurrentIndex(self.extent.combo.findData(ExtentChooser.LAYER))
        self.extent.changed.connect(self.completeChanged.emit)
        tip = tr("Chips that lie wholly inside become places")
        self._of_grid = [
            self.chip,
            label,
            self.extent,
            row(self.form, tr("A&rea"), self.extent, tip),
        ]
        self.sites = LayerCombo("polygon", empty=True)
        self.sites.setLayer(None)
        self.sites.layerChanged.connect(lambda _layer: self.completeChanged.emit())
        tip = tr("The box around every polygon becomes a place; boxes that overlap count as one")
        self._of_polygons = [self.sites, row(self.form, tr("Po&lygons"), self.sites, tip)]

    def _build_sampling(self) -> None:
        self.sampling = choice()
        for key, title in SAMPLING:
            self.sampling.addItem(tr(title), key)
        self.sampling.currentIndexChanged.connect(self._sampling_changed)
        row(self.form, tr("Sam&pling"), self.sampling, tr("Which places become tasks"))
        self.count = QgsSpinBox()
        self.count.setRange(0, 1_000_000)
        self.count.setSpecialValueText(tr("All"))
        tip = tr("How many places; 0 is all")
        self.count_label = row(self.form, tr("&Number"), self.count, tip)
        self.guide = QgsMapLayerComboBox()
        self.guide.setFilters(QgsMapLayerProxyModel.Filter.RasterLayer)
        self.guide_label = row(self.form, tr("&Guided by"), self.guide)

    def _imagery_changed(self) -> None:
        self._offer_guides()
        self.completeChanged.emit()

    def _offer_guides(self) -> None:
        """A class map for strata; for doubt, a raster that is not looked at itself."""
        fits = layers.is_class_raster if self.sampling.currentData() == "stratified" else None
        shown = self.imagery.layers()
        rasters = QgsProject.instance().mapLayers().values()
        self.guide.setExceptedLayerList(
            [x for x in rasters if (not fits(x) if fits else x in shown)]
        )

    def _kind_changed(self, *_) -> None:
        polygons = self.polygons
        for widget in self._of_grid:
            widget.setVisible(not polygons)
        for widget in self._of_polygons:
            widget.setVisible(polygons)
        self.completeChanged.emit()

    @property
    def polygons(self) -> bool:
        return self.kind.currentData() == POLYGONS

    def scheme_problem(self) -> str:
        """Why the chosen classes cannot serve, or nothing."""
        from ..engine import taxonomy
        from ..engine.errors import ConcordError

        if not self.scheme.value():
            return tr("Choose a class scheme.")
        try:
            taxonomy.load(self.scheme.value())
        except ConcordError as error:
            return str(error)
        return ""

    def _sampling_changed(self, *_) -> None:
        method = self.sampling.currentData()
        for widget in (self.count, self.count_label):
            widget.setVisible(method != "all")
        for widget in (self.guide, self.guide_label):
            widget.setVisible(method in GUIDES)
            widget.setToolTip(tr(GUIDES.get(method, "")))
        self._offer_guides()
        self.completeChanged.emit()

    def says(self) -> str:
        if not self.imagery.layers():
            return tr("Tick at least one image.")
        problem = self.scheme_problem()
        if problem:
            return problem
        if self.polygons and self.sites.currentLayer() is None:
            return tr("Choose the layer of polygons.")
        if self.guide.isVisibleTo(self) and self.guide.currentLayer() is None:
            return tr("Open the raster that guides the choice of places.")
        return "" if self.polygons else self.extent.problem()


class PeoplePage(Page):
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
