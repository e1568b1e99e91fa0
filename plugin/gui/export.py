"""The Campaign panel's lower half: export chips and check them."""

from __future__ import annotations

import re
from pathlib import Path

from qgis.core import QgsRasterLayer
from qgis.gui import QgsDoubleSpinBox, QgsFileWidget, QgsSpinBox
from qgis.PyQt.QtCore import QObject
from qgis.PyQt.QtWidgets import QLineEdit

from ..bridge import layers
from ..bridge.text import tr
from . import reports
from .lists import VerdictList
from .runner import Outcome
from .widgets import LayerCombo, choice, form, note, row

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


class ExportSection(QObject):
    """Runs `concord:exportchips` and `concord:checkchips` for the panel it belongs to."""

    def __init__(self, panel):
        super().__init__(panel)
        self.panel = panel
        self._build_sources()
        self._build_options()
        self._build_run()

    def _build_sources(self) -> None:
        from .campaign import LayerChecks

        refresh = self.panel.refresh
        self.column = self.panel.section(tr("Export chips"))
        self.layout = form()
        self.imagery = LayerChecks(layers.is_imagery, refresh)
        tip = tr("Tick every scene that goes into a chip: optical, SAR, elevation")
        row(self.layout, tr("&Images"), self.imagery, tip)
        self.labels = LayerCombo("raster", layers.is_class_raster)
        self.labels.layerChanged.connect(refresh)
        row(self.layout, tr("&Labels"), self.labels, tr("The class map that becomes the mask"))
        self.consensus = LayerCombo("raster", is_consensus, empty=True)
        self.consensus.setAllowEmptyLayer(True, tr("None"))
        self.consensus.setLayer(None)
        tip = tr("Two bands, class and posterior; only then can unsure pixels be left out")
        row(self.layout, tr("Co&nsensus"), self.consensus, tip)

    def _build_options(self) -> None:
        layout = self.layout
        self.size = spin(32, 4096, 256, tr(" px"))
        row(layout, tr("Chip si&ze"), self.size, tr("Rows and columns of a chip"))
        self.stride = spin(0, 4096, 0, tr(" px"))
        self.stride.setSpecialValueText(tr("Same as the size"))
        row(layout, tr("S&tride"), self.stride, tr("Step from chip to chip; less makes overlap"))
        self.score = spin(0, 100, 0, " %")
        tip = tr("Pixels whose posterior is lower become ignore (255)")
        row(layout, tr("Least poste&rior"), self.score, tip)
        self.labelled = spin(0, 100, 10, " %")
        tip = tr("Chips with a smaller labelled share are left out")
        row(layout, tr("Least labelle&d"), self.labelled, tip)
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
        self.seed = spin(0, 2**31 - 1, 1, "")
        row(layout, tr("Seed"), self.seed, tr("The same seed gives the same split"))
        self.licence = choice()
        self.licence.setEditable(True)
        self.licence.addItems(LICENCES)
        self.licence.setCurrentIndex(-1)
        self.licence.lineEdit().setPlaceholderText(tr("Choose, or type an SPDX id"))
        self.licence.currentTextChanged.connect(self.panel.refresh)
        tip = tr("Licence of images and labels together, as an SPDX id; written into every record")
        row(layout, tr("Licenc&e"), self.licence, tip)
        self.folder = QgsFileWidget()
        self.folder.setStorageMode(QgsFileWidget.StorageMode.GetDirectory)
        self.folder.lineEdit().setPlaceholderText(tr("A new folder under Save in"))
        self.folder.fileChanged.connect(self.panel.refresh)
        row(layout, tr("&Folder"), self.folder, tr("Where the chips go"), self.folder.lineEdit())
        self.column.addLayout(layout)

    def _build_run(self) -> None:
        self.panel.step(
            self.column,
            tr("E&xport chips"),
            "concord:exportchips",
            self._need,
            self.run,
            tr("Write images, masks, consensus and STAC records of every chip"),
        )
        self.panel.step(
            self.column,
            tr("&Check chips"),
            "concord:checkchips",
            self._need_check,
            self.check,
            tr("Look for leaks between splits, missing files and broken formats"),
        )
        self.summary = note()
        self.summary.hide()
        self.column.addWidget(self.summary)
        self.verdicts = VerdictList()
        self.verdicts.setAccessibleName(tr("Checks"))
        self.column.addWidget(self.verdicts)
        self._last = ""

    def updated(self) -> None:
        """Follow the layers that are open."""
        self.imagery.reload()
        self.score.setEnabled(self.consensus.currentLayer() is not None)

    def suggest(self, consensus: QgsRasterLayer) -> None:
        """Use a fresh consensus as labels."""
        self.labels.setLayer(consensus)
        self.consensus.setLayer(consensus)
        self.score.setEnabled(True)

    def _need(self) -> str:
        self.imagery.reload()
        if not self.imagery.count():
            return tr("Open images, or load a scene first.")
        if not self.imagery.layers():
            return tr("Tick the images that go into the chips.")
        if self.labels.currentLayer() is None:
            return tr("Open a class map, or build a consensus first.")
        if not re.fullmatch(r"\d+(/\d+){1,2}", self.split.text().strip()):
            return tr("Write the split as shares, such as 70/15/15.")
        if not self.licence.currentText().strip():
            return tr("Choose the licence of the chips.")
        return ""

    def _need_check(self) -> str:
        if not self._folder_to_check():
            return tr("Export chips first, or choose the folder of a finished set.")
        return ""

    def _folder_to_check(self) -> str:
        chosen = self.folder.filePath()
        if chosen and Path(chosen).is_dir() and any(Path(chosen).iterdir()):
            return chosen
        return self._last

    def run(self) -> None:
        """Run `concord:exportchips`."""
        parameters = {
            "IMAGERY": self.imagery.layers(),
            "LABELS": self.labels.currentLayer(),
            "CHIP_SIZE": self.size.value(),
            "STRIDE": self.stride.value() or self.size.value(),
            "MIN_SCORE": self.score.value() / 100,
            "MIN_LABELLED": self.labelled.value() / 100,
            "SPLIT": self.split.text().strip(),
            "SEED": self.seed.value(),
            "LICENCE": self.licence.currentText().strip(),
            "OUTPUT": self.folder.filePath() or self.panel.target("chips"),
        }
        if self.consensus.currentLayer() is not None:
            parameters["CONSENSUS"] = self.consensus.currentLayer()
        if self.block.value() > 0:
            parameters["BLOCK"] = self.block.value()
        if self.buffer.value() >= 0:
            parameters["BUFFER"] = self.buffer.value()
        self.verdicts.show_verdicts([])

        def done(outcome: Outcome) -> None:
            self._last = str(outcome.results["OUTPUT"])
            self._show_chips(Path(self._last))
            self.panel.say(tr("Chips are in {folder}.").format(folder=self._last))
            self.panel.refresh()

        self.panel.launch("concord:exportchips", parameters, done)

    def _show_chips(self, folder: Path) -> None:
        outlines = folder / "splits.geojson"
        if outlines.exists():
            name = tr("Chips of {name}").format(name=folder.name)
            layers.style_chips(layers.add_vector(outlines, name, self.panel.project))

    def check(self) -> None:
        """Run `concord:checkchips` on the last set."""
        report = self.panel.target("chips-check") + ".json"
        parameters = {"INPUT": self._folder_to_check(), "REPORT": report}

        def show() -> None:
            # A set with faults fails the run, but its report lists them.
            if Path(report).exists():
                verdicts = reports.read(report).get("verdicts", [])
                self.verdicts.show_verdicts(verdicts)

        def done(_outcome: Outcome) -> None:
            show()
            self.panel.say(tr("The set is sound."))

        self.verdicts.show_verdicts([])
        self.panel.launch("concord:checkchips", parameters, done, show)


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


def is_consensus(layer) -> bool:
    """Two whole-number bands: class and posterior."""
    return layers.is_class_raster(layer) and layer.bandCount() == 2
