"""The Campaign panel's lower half: preview the split, export chips and check them."""

from __future__ import annotations

import re
from pathlib import Path

from qgis.core import QgsRasterLayer
from qgis.PyQt.QtCore import QObject

from ..bridge import layers
from ..bridge.text import tr
from . import reports
from .chip_options import ChipOptions, ticked
from .lists import VerdictList
from .runner import Outcome
from .tools import chip_tools
from .widgets import LayerCombo, form, note, row

PREVIEW = "Split preview"


class ExportSection(QObject):
    """Runs the export, its preview and its check for the panel it belongs to."""

    def __init__(self, panel):
        super().__init__(panel)
        self.panel = panel
        self._build_sources()
        self.options = ChipOptions(panel, self.column, self.layout)
        for name in ("size", "stride", "score", "labelled", "split", "block", "buffer", "seed",
                     "licence", "folder", "formats", "date", "taxonomy"):  # fmt: skip
            setattr(self, name, getattr(self.options, name))
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
        self.consensus.layerChanged.connect(refresh)
        tip = tr("Two bands, class and posterior; only then can unsure pixels be left out")
        row(self.layout, tr("Co&nsensus"), self.consensus, tip)
        self.column.addLayout(self.layout)

    def _build_run(self) -> None:
        self.panel.step(
            self.column,
            tr("Preview the split"),
            "concord:previewchips",
            self._need_preview,
            self.preview,
            tr("Colour the chips on the map by their split; nothing is written into the set"),
        )
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
        self.column.addWidget(chip_tools())
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
        known = self.consensus.currentLayer() is not None
        for field in (self.score, self.options.low, self.options.below):
            field.setEnabled(known)

    def suggest(self, consensus: QgsRasterLayer) -> None:
        """Use a fresh consensus as labels."""
        self.labels.setLayer(consensus)
        self.consensus.setLayer(consensus)
        self.updated()

    def _need_preview(self) -> str:
        self.imagery.reload()
        if not self.imagery.count():
            return tr("Open images, or load a scene first.")
        if not self.imagery.layers():
            return tr("Tick the images that go into the chips.")
        if self.labels.currentLayer() is None:
            return tr("Open a class map, or build a consensus first.")
        if not re.fullmatch(r"\d+(/\d+){2}", self.split.text().strip()):
            return tr("Write the split as shares, such as 70/15/15.")
        by_layer = self.options.split_by.currentData() == "layer"
        if by_layer and self.options.split_layer.currentLayer() is None:
            return tr("Choose the polygons that stay whole in one split.")
        return ""

    def _need(self) -> str:
        problem = self._need_preview()
        if problem:
            return problem
        if not ticked(self.formats):
            return tr("Tick at least one format.")
        if not self.licence.currentText().strip():
            return tr("Choose the licence of the chips.")
        date = self.date.text().strip()
        if date and not re.fullmatch(r"\d{4}-\d\d-\d\d", date):
            return tr("Write the date as 2024-01-31, or leave it empty.")
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

    def _parameters(self) -> dict:
        parameters = {
            "IMAGERY": self.imagery.layers(),
            "LABELS": self.labels.currentLayer(),
            **self.options.parameters(),
        }
        if self.consensus.currentLayer() is not None:
            parameters["CONSENSUS"] = self.consensus.currentLayer()
        else:
            parameters["LOW"] = "keep"
        return parameters

    def preview(self) -> None:
        """Run `concord:previewchips` and colour the canvas."""
        stem = self.panel.target("split-preview")
        report = stem + ".json"
        parameters = {**self._parameters(), "OUTPUT": stem + ".gpkg", "REPORT": report}

        def done(outcome: Outcome) -> None:
            project = self.panel.project
            for old in project.mapLayersByName(tr(PREVIEW)):
                project.removeMapLayer(old.id())
            path = str(outcome.results["OUTPUT"])
            layers.style_chips(layers.add_vector(path, tr(PREVIEW), project))
            self._tell(reports.read(report))
            self.panel.say(tr("The split is on the map; nothing was written into a set."))

        self.panel.launch("concord:previewchips", parameters, done)

    def _tell(self, report: dict) -> None:
        lines = []
        for entry in report.get("splits", []):
            lines.append(f"{entry['split']}: {entry['chips']:,}")
        nearest = report.get("nearest_between_splits")
        reach = report.get("autocorrelation_range")
        text = ", ".join(lines)
        if nearest is not None:
            text += tr("; nearest distance {d:g}").format(d=nearest)
        if reach:
            text += tr("; labels resemble their neighbours up to about {r:g}").format(r=reach)
        notes = report.get("warnings", [])
        self.summary.setText("\n".join([text, *notes]))
        self.summary.show()

    def run(self) -> None:
        """Run `concord:exportchips`."""
        output = self.folder.filePath() or self.panel.target("chips")
        parameters = {**self._parameters(), "OUTPUT": output}
        self.verdicts.show_verdicts([])

        def done(outcome: Outcome) -> None:
            self._last = str(outcome.results["OUTPUT"])
            self._show_chips(Path(self._last))
            self._tell(reports.read(str(Path(self._last) / "manifest.json")).get("report", {}))
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


def is_consensus(layer) -> bool:
    """Two whole-number bands: class and posterior."""
    return layers.is_class_raster(layer) and layer.bandCount() == 2
