"""The options of an export: a short form, and a folded one for what is rarely needed."""

from __future__ import annotations

from qgis.core import QgsMapLayerProxyModel
from qgis.gui import (
    QgsCheckableComboBox,
    QgsCollapsibleGroupBox,
    QgsDoubleSpinBox,
    QgsFieldComboBox,
    QgsFileWidget,
    QgsMapLayerComboBox,
    QgsSpinBox,
)
from qgis.PyQt.QtCore import QObject, Qt
from qgis.PyQt.QtWidgets import QComboBox, QLineEdit

from ..bridge import chips
from ..bridge.text import tr
from .widgets import choice, form, row, side_by_side, taxonomy_combo

LICENCES = (
    "CC-BY-4.0",
    "CC0-1.0",
    "CC-BY-SA-4.0",
    "CC-BY-NC-4.0",
    "ODbL-1.0",
    "ODC-By-1.0",
    "PDDL-1.0",
    "CDLA-Permissive-2.0",
)


class ChipOptions(QObject):
    """The fields below images and labels; ``parameters()`` is what the algorithms get."""

    def __init__(self, panel, column, layout):
        super().__init__(panel)
        self.panel = panel
        self._build_cut(layout)
        self._build_split(layout)
        self._build_record(layout)
        self.more = QgsCollapsibleGroupBox(tr("More options"))
        self.more.setSaveCollapsedState(False)
        inner = form()
        inner.setContentsMargins(6, 6, 6, 6)
        self.more.setLayout(inner)
        self._build_unsure(inner)
        self._build_domains(inner)
        self._build_images(inner)
        self._build_curation(inner)
        self.more.setCollapsed(True)
        column.addWidget(self.more)

    def _build_cut(self, layout) -> None:
        self.taxonomy = taxonomy_combo()
        row(layout, tr("Classes"), self.taxonomy, tr("Names and colours of the class codes"))
        self.size = spin(32, 4096, 256, tr(" px"))
        row(layout, tr("Chip si&ze"), self.size, tr("Rows and columns of a chip"))
        self.score = spin(0, 100, 0, " %")
        tip = tr("Chips whose mean posterior is lower are left out; needs a consensus")
        row(layout, tr("Least poste&rior"), self.score, tip)
        self.labelled = spin(0, 100, 10, " %")
        tip = tr("Chips with a smaller labelled share are left out")
        row(layout, tr("Least labelle&d"), self.labelled, tip)

    def _build_split(self, layout) -> None:
        self.split = QLineEdit("70/15/15")
        self.split.textChanged.connect(self.panel.refresh)
        tip = tr("Shares of train, validation and test; whole blocks go to one of them")
        row(layout, tr("S&plit"), self.split, tip)
        self.block = metres(0.0, 0.0, tr("Automatic"))
        tip = tr("Side of the blocks that are split, in map units; larger is safer")
        row(layout, tr("Bloc&k"), self.block, tip)
        self.buffer = metres(-1.0, -1.0, tr("One chip"))
        tip = tr("Gap kept free between splits, in map units; 0 lets them touch")
        row(layout, tr("B&uffer"), self.buffer, tip)

    def _build_record(self, layout) -> None:
        self.formats = ticks(chips.FORMATS, ("native",))
        self.formats.checkedItemsChanged.connect(lambda _items: self.panel.refresh())
        tip = tr("Every ticked format is written into a folder of its own inside the set")
        row(layout, tr("Formats"), self.formats, tip)
        self.licence = choice()
        self.licence.setEditable(True)
        self.licence.addItems(LICENCES)
        self.licence.setCurrentIndex(-1)
        self.licence.lineEdit().setPlaceholderText(tr("Choose, or type an SPDX id"))
        self.licence.currentTextChanged.connect(self.panel.refresh)
        tip = tr("Licence of images and labels together, as an SPDX id; written into every record")
        row(layout, tr("Licenc&e"), self.licence, tip)
        self.date = QLineEdit()
        self.date.setPlaceholderText(tr("From the file names"))
        self.date.textChanged.connect(self.panel.refresh)
        tip = tr("Date of the images as YYYY-MM-DD, when their names do not hold it")
        row(layout, tr("Date"), self.date, tip)
        self.folder = QgsFileWidget()
        self.folder.setStorageMode(QgsFileWidget.StorageMode.GetDirectory)
        self.folder.lineEdit().setPlaceholderText(tr("A new folder under Save in"))
        self.folder.fileChanged.connect(self.panel.refresh)
        tip = tr("Where the chips go; a set that is there already is brought up to date")
        row(layout, tr("&Folder"), self.folder, tip, self.folder.lineEdit())

    def _build_unsure(self, layout) -> None:
        self.low = options(
            ("keep", tr("Keep as they are")),
            ("ignore", tr("Become ignore (255)")),
            ("weight", tr("Get a weight band")),
        )
        self.below = spin(0, 100, 60, " %")
        tip = tr("What becomes of pixels whose posterior is lower; needs a consensus")
        both = side_by_side(self.low, self.below)
        row(layout, tr("Unsure pixels"), both, tip, self.low)
        self.undecided = spin(0, 100, 100, " %")
        tip = tr("Chips with more ignored pixels are left out")
        row(layout, tr("Most undecided"), self.undecided, tip)
        self.empty = spin(0, 100, 100, " %")
        tip = tr("Chips where an image lacks more of its pixels are left out")
        row(layout, tr("Most without data"), self.empty, tip)

    def _build_domains(self, layout) -> None:
        self.split_by = options(
            ("blocks", tr("Blocks of map units")),
            ("layer", tr("Polygons of a layer")),
            ("scene", tr("Scenes")),
            ("date", tr("Dates")),
        )
        self.split_by.currentIndexChanged.connect(self._domains_changed)
        row(layout, tr("Split by"), self.split_by, tr("What is kept whole in one split"))
        self.split_layer = QgsMapLayerComboBox()
        self.split_layer.setFilters(QgsMapLayerProxyModel.Filter.PolygonLayer)
        self.split_layer.setAllowEmptyLayer(True, tr("None"))
        self.split_layer.setLayer(None)
        self.split_layer.setMinimumContentsLength(12)
        self.split_field = QgsFieldComboBox()
        self.split_field.setAllowEmptyFieldName(True)
        self.split_layer.layerChanged.connect(self.split_field.setLayer)
        self.split_layer.layerChanged.connect(self.panel.refresh)
        row(layout, tr("Polygons"), self.split_layer, tr("Regions that stay whole"))
        tip = tr("Field with the region, or with train, validate and test")
        row(layout, tr("Their field"), self.split_field, tip)
        self.seed = spin(0, 2**31 - 1, 1, "")
        row(layout, tr("Seed"), self.seed, tr("The same seed gives the same split"))
        self._domains_changed()

    def _domains_changed(self, _index: int = 0) -> None:
        by_layer = self.split_by.currentData() == "layer"
        self.split_layer.setEnabled(by_layer)
        self.split_field.setEnabled(by_layer)
        self.block.setEnabled(self.split_by.currentData() == "blocks")
        self.panel.refresh()

    def _build_images(self, layout) -> None:
        self.stride = spin(0, 4096, 0, tr(" px"))
        self.stride.setSpecialValueText(tr("Same as the size"))
        row(layout, tr("S&tride"), self.stride, tr("Step from chip to chip; less makes overlap"))
        self.resolution = options(
            ("reference", tr("All on the labels' grid")), ("native", tr("Each at its own"))
        )
        self.rotation = spin(-180, 180, 0, " °")
        tip = tr("Turn the chips anticlockwise; 0 leaves every pixel as it is")
        row(layout, tr("Turned by"), self.rotation, tip)
        tip = tr("Pixel size of the images; each at its own resamples only those of another CRS")
        row(layout, tr("Resolution"), self.resolution, tip)
        self.dates = options(("all", tr("Every date")), ("median", tr("Median a sensor")))
        row(layout, tr("Dates"), self.dates, tr("What becomes of several dates of one sensor"))
        self.masks = ticks((("instance", tr("Objects")), ("boundary", tr("Boundaries"))), ())
        tip = tr("Further masks of the GeoTIFF format, made from the label's regions")
        row(layout, tr("Further masks"), self.masks, tip)
        self.captions = options(
            ("", tr("None")), ("draft", tr("Draft")), ("confirmed", tr("Confirmed by me"))
        )
        tip = tr("One sentence a chip from its class shares, for vision-language models")
        row(layout, tr("Captions"), self.captions, tip)

    def _build_curation(self, layout) -> None:
        self.alike = spin(0, 100, 0, " %")
        self.alike.setSpecialValueText(tr("Keep all"))
        tip = tr("Of chips that look more alike than this only one stays; 98 % is a good start")
        row(layout, tr("Near-duplicates"), self.alike, tip)
        self.target = spin(0, 200_000, 0, tr(" chips"))
        self.target.setSpecialValueText(tr("No limit"))
        tip = tr("Most chips in all, dealt evenly over the most frequent classes")
        row(layout, tr("At most"), self.target, tip)

    def parameters(self) -> dict:
        """Parameters of exportchips and previewchips, without images, labels and output."""
        found = {
            "CHIP_SIZE": self.size.value(),
            "STRIDE": self.stride.value() or self.size.value(),
            "MIN_SCORE": self.score.value() / 100,
            "MIN_LABELLED": self.labelled.value() / 100,
            "MAX_UNDECIDED": self.undecided.value() / 100,
            "MAX_NODATA": self.empty.value() / 100,
            "SPLIT": self.split.text().strip(),
            "SPLIT_BY": self.split_by.currentData(),
            "SEED": self.seed.value(),
            "FORMATS": ticked(self.formats),
            "LICENCE": self.licence.currentText().strip(),
            "DATE": self.date.text().strip(),
            "TAXONOMY": self.taxonomy.value(),
            "LOW": self.low.currentData(),
            "LOW_BELOW": self.below.value() / 100,
            "ROTATION": self.rotation.value(),
            "RESOLUTION": self.resolution.currentData(),
            "DATES": self.dates.currentData(),
            "MASKS": ticked(self.masks),
            "CAPTIONS": self.captions.currentData(),
            "DUPLICATES": self.alike.value() / 100,
            "TARGET": self.target.value(),
        }
        if self.block.value() > 0:
            found["BLOCK"] = self.block.value()
        if self.buffer.value() >= 0:
            found["BUFFER"] = self.buffer.value()
        if self.split_by.currentData() == "layer":
            found["SPLIT_LAYER"] = self.split_layer.currentLayer()
            found["SPLIT_FIELD"] = self.split_field.currentField()
        return {name: value for name, value in found.items() if value not in ("", [])}


def ticks(items, checked: tuple) -> QgsCheckableComboBox:
    """A list to tick, as small as a combo box."""
    combo = QgsCheckableComboBox()
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(12)
    combo.setDefaultText(tr("None"))
    for name, title in items:
        state = Qt.CheckState.Checked if name in checked else Qt.CheckState.Unchecked
        combo.addItemWithCheckState(title, state, name)
    return combo


def ticked(combo: QgsCheckableComboBox) -> list:
    """The ids of the ticked entries."""
    return [str(name) for name in combo.checkedItemsData()]


def options(*items) -> QComboBox:
    """A choice of (id, title)."""
    combo = choice()
    for name, title in items:
        combo.addItem(title, name)
    return combo


def spin(low: int, high: int, start: int, suffix: str) -> QgsSpinBox:
    """A whole number with its unit."""
    box = QgsSpinBox()
    box.setRange(low, high)
    box.setValue(start)
    box.setSuffix(suffix)
    box.setClearValue(start)
    return box


def metres(start: float, low: float, special: str) -> QgsDoubleSpinBox:
    """A length in map units; decimals suit degrees too. The lowest value reads `special`."""
    box = QgsDoubleSpinBox()
    box.setDecimals(4)
    box.setRange(low, 1e7)
    box.setSpecialValueText(special)
    box.setValue(start)
    box.setClearValue(start)
    return box
