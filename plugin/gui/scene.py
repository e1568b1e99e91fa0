"""Scene panel: files of any sensor become one scene, on one grid, with named bands."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsCoordinateReferenceSystem, QgsRasterLayer
from qgis.gui import QgsDoubleSpinBox, QgsProjectionSelectionWidget
from qgis.PyQt.QtWidgets import QCheckBox, QHeaderView

from ..bridge import layers, scenes, views
from ..bridge.text import tr
from . import reports, sample
from .lists import Table
from .panel import Panel
from .runner import Outcome
from .scene_dates import Dates
from .scene_derived import DerivedField
from .scene_files import as_text
from .scene_inputs import Inputs
from .scene_profile import Looks
from .scene_recognised import Recognised
from .thumbnails import pictured_choice
from .widgets import ExtentChooser, LayerCombo, choice, form, note, row


class ScenePanel(Panel):
    """Loads files with `concord:loadscene` and shows what was assumed about them."""

    KEY = "scene"
    OBJECT_NAME = "ConcordScenePanel"
    TITLE = "Scene"
    HINT = "Bring files of one place, from any sensor, onto one grid with named bands."

    def build(self) -> None:
        column = self.section(tr("Load"))
        layout = form()
        self.inputs = Inputs(self, layout)
        self.files = self.inputs.field
        self.inputs.changed.connect(self.refresh)
        self.sensor = choice()
        self.sensor.addItem(tr("Find out from the files"), "auto")
        row(
            layout,
            tr("&Sensor"),
            self.sensor,
            tr("Says which band is which, and how numbers become reflectance or decibels"),
        )
        self.derived = DerivedField()
        tip = tr("Indices, radar filters, terrain and sharpened bands that are added to the scene")
        row(layout, tr("&Derived"), self.derived, tip, self.derived.edit)
        self.virtual = QCheckBox(tr("&Keep the files where they are (virtual stack)"))
        self.virtual.setToolTip(
            tr("Nothing is copied: the scene reads the files themselves, only what must be "
               "computed is written")
        )  # fmt: skip
        layout.addRow(self.virtual)
        column.addLayout(layout)
        self.recognised = Recognised(self, self.inputs)
        self._build_grid()
        self.step(
            self.body,
            tr("&Load scene"),
            "concord:loadscene",
            self._need,
            self.load,
            tr("Resample everything onto one grid and add the scene to the map"),
        )
        self.step(
            self.body,
            tr("&Try the sample scene"),
            "concord:samplescene",
            lambda: "",
            self.load_sample,
            tr("A small synthetic scene with optical, SAR, elevation, a noisy map and annotators"),
        )
        self._build_result()
        self.dates = Dates(self)

    def chosen_files(self) -> list[str]:
        return self.inputs.files()

    def add_file(self, path: str) -> None:
        """Append a file to the chosen ones."""
        self.inputs.add(path)

    def _build_grid(self) -> None:
        column = self.section(tr("Grid"), collapsed=True)
        layout = form()
        self.grid = LayerCombo("raster", empty=True)
        self.grid.setAllowEmptyLayer(True, tr("Grid of the finest file"))
        self.grid.setLayer(None)
        row(layout, tr("&Match"), self.grid, tr("Take CRS, pixel size and origin of this raster"))
        self.resolution = QgsDoubleSpinBox()
        self.resolution.setRange(0, 1e6)
        self.resolution.setDecimals(3)
        self.resolution.setSpecialValueText(tr("Finest file's"))
        tip = tr("Pixel size in the units of the scene's CRS")
        row(layout, tr("&Pixel size"), self.resolution, tip)
        self.crs = QgsProjectionSelectionWidget()
        self.crs.setOptionVisible(QgsProjectionSelectionWidget.CrsOption.CrsNotSet, True)
        self.crs.setNotSetText(tr("That of the finest file"))
        self.crs.setCrs(QgsCoordinateReferenceSystem())
        tip = tr("Coordinate reference system of the scene; metres suit terrain and windows")
        row(layout, tr("C&RS"), self.crs, tip)
        self.extent = ExtentChooser(self.iface.mapCanvas())
        self.extent.combo.setItemText(1, tr("All of the files"))
        self.extent.combo.setCurrentIndex(1)
        self.extent.changed.connect(self.refresh)
        row(layout, tr("E&xtent"), self.extent, tr("How much of the files the scene covers"))
        column.addLayout(layout)

    def _build_result(self) -> None:
        column = self.section(tr("Show"))
        layout = form()
        self.shown = LayerCombo("raster")
        self.shown.layerChanged.connect(self._list_composites)
        row(layout, tr("La&yer"), self.shown, tr("The layer whose bands are shown"))
        self.composite, self.thumbnails = pictured_choice(self.shown.currentLayer)
        self.composite.activated.connect(self._show_composite)
        row(
            layout,
            tr("&Composite"),
            self.composite,
            tr(
                "Which bands are shown as red, green and blue; 2 to 98 % of the values. The "
                "picture is what a model sees of the middle of the layer in these bands"
            ),
        )
        column.addLayout(layout)
        self.table = Table([tr("Band"), tr("Unit"), tr("From"), tr("Resampling")])
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.table.horizontalHeader().setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        self.why = note()
        self.why.hide()
        self.assumed = note()
        self.assumed.hide()
        self.looks = Looks(self.iface.mapCanvas(), self.shown.currentLayer, self._add_views)
        column.addWidget(self.looks)
        column.addWidget(self.why)
        column.addWidget(self.table)
        column.addWidget(self.assumed)

    def _add_views(self) -> None:
        layer = self.shown.currentLayer()
        if layer is not None:
            self._guarded(lambda: views.add_views(layer, self.project))

    def release(self) -> None:
        """Also takes the map tool off the canvas."""
        if not self._released:
            self.looks.release()
        super().release()

    def updated(self) -> None:
        if self.sensor.count() == 1:
            self._list_sensors()
        self._list_composites(self.shown.currentLayer())

    def _list_sensors(self) -> None:
        from ..engine import sensors

        for preset in sensors.presets():
            self.sensor.addItem(preset.title, preset.id)

    def _list_composites(self, layer) -> None:
        current = self.composite.currentText()
        self.composite.clear()
        if isinstance(layer, QgsRasterLayer) and layer.isValid() and layer.bandCount():
            for item in views.views(layer) or layers.composites(layer):
                self.composite.addItem(item.title, item)
        self.composite.setCurrentIndex(max(0, self.composite.findText(current)))
        self.thumbnails.draw()
        self.composite.setEnabled(self.composite.count() > 0)
        self.looks.setEnabled(self.composite.count() > 0)

    def _show_composite(self, _index: int) -> None:
        layer = self.shown.currentLayer()
        if layer is not None:
            chosen = self.composite.currentData()
            if isinstance(chosen, views.View):
                views.show(layer, chosen)
            else:
                layers.style_composite(layer, chosen.bands)
            layer.triggerRepaint()
            layer.emitStyleChanged()

    def _need(self) -> str:
        return self.inputs.problem() or self.extent.problem()

    def load(self) -> None:
        """Run `concord:loadscene` on the chosen files."""
        chosen = self.chosen_files()
        self._load(chosen, Path(chosen[0]).stem if len(chosen) == 1 else tr("Scene"))

    def _load(self, chosen: list[str], name: str, then=None, sample_run=False) -> None:
        stem = self.target("scene")
        parameters = {
            "INPUT": chosen,
            "SENSOR": "auto" if sample_run else self.sensor.currentData(),
            "OUTPUT": stem + (".vrt" if self.virtual.isChecked() and not sample_run else ".tif"),
            "REPORT": stem + ".json",
        }
        if not sample_run:
            parameters["GRID"] = self.grid.currentLayer()
            parameters["EXTENT"] = self.extent.value()
            if self.resolution.value() > 0:
                parameters["RESOLUTION"] = self.resolution.value()
            if self.crs.crs().isValid():
                parameters["CRS"] = self.crs.crs()
            parameters["DERIVED"] = ";".join(self.derived.names()) or None
        corrections = {} if sample_run else self.recognised.corrections()
        parameters["CORRECTIONS"] = as_text(corrections)
        parameters = {key: value for key, value in parameters.items() if value is not None}

        def done(outcome: Outcome) -> None:
            layer = layers.add_raster(outcome.results["OUTPUT"], name, "scene", self.project)
            report = reports.of(outcome)
            scenes.remember(layer, report, corrections)
            self._remember_choice(chosen, parameters["SENSOR"])
            self.show_report(report)
            first = next(iter(views.views(layer)), None)
            if first is not None and first.kind != "composite":
                views.show(layer, first)
            self.looks.profile.add([])
            self.shown.setLayer(layer)
            self.show_place(layer)
            self.say(
                tr("Added {name}: {n} bands, {s:.1f} s.").format(
                    name=name, n=layer.bandCount(), s=outcome.seconds
                )
            )
            if then is not None:
                then(layer)

        self.launch("concord:loadscene", parameters, done)

    def _remember_choice(self, chosen: list[str], sensor: str) -> None:
        """Open layers of the files keep the user's own word on their sensor."""
        if sensor == "auto":
            return
        for layer in self.project.mapLayers().values():
            if isinstance(layer, QgsRasterLayer) and layer.source() in chosen:
                scenes.correct_sensor(layer, sensor)

    def show_place(self, layer: QgsRasterLayer) -> None:
        """Make a layer the active one and fill the canvas with it."""
        self.iface.setActiveLayer(layer)
        if len(self.project.mapLayers()) == 1:
            self.project.setCrs(layer.crs())
        canvas = self.iface.mapCanvas()
        view = canvas.mapSettings()
        canvas.setExtent(view.layerExtentToOutputExtent(layer, layer.extent()))
        canvas.refresh()

    def show_report(self, report: dict) -> None:
        """Show bands and warnings of a loadscene report."""
        bands = report.get("bands", [])
        rows, tips = [], {}
        for line, band in enumerate(bands):
            source = str(band.get("source") or "")
            told = source if band.get("sensor") == "derived" else Path(source).name
            cells = (band.get("name"), band.get("unit"), told, band.get("resampling"))
            rows.append([text or "–" for text in cells])
            tips[(line, 2)] = source
        self.table.fill(rows, tips)
        reasons = [
            tr("{title}: {reason}.").format(title=s.get("title"), reason=s.get("reason"))
            for s in report.get("sensors", [])
        ]
        self.why.setText("\n".join(reasons))
        self.why.setVisible(bool(reasons))
        warnings = [str(text) for text in report.get("warnings", [])]
        self.assumed.setText("\n".join(f"• {text}" for text in warnings))
        self.assumed.setVisible(bool(warnings))

    def load_sample(self) -> None:
        """Make the synthetic scene, load it and add its maps."""
        parameters = {"SEED": 1, "SIZE": 1024, "OUTPUT": self.target("sample")}

        def made(outcome: Outcome) -> None:
            folder = Path(str(outcome.results["OUTPUT"]))

            def rest(scene: QgsRasterLayer) -> None:
                self.spread(sample.add_maps(folder, scene, self.project))

            self._load(sample.sensor_files(folder), tr("Scene (synthetic)"), rest, True)

        self.launch("concord:samplescene", parameters, made)
