"""What every algorithm of Concord shares: capture on the main thread, then compute on values.

``prepareAlgorithm`` runs on the main thread and turns parameters into plain values;
``processAlgorithm`` may run anywhere and hands those values to the engine. A ``ConcordError``
becomes the one sentence that the user sees.
"""

from __future__ import annotations

import contextlib
import os

from qgis.core import (
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingException,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterString,
)

from ..bridge import capture
from ..bridge.feedback import progress_of
from ..bridge.text import tr
from ..engine import files, packages
from ..engine.errors import Cancelled, ConcordError
from . import checks, scratch


class ConcordAlgorithm(QgsProcessingAlgorithm):
    """Base of the provider's algorithms; a subclass gives the constants and three methods."""

    ID = ""
    TITLE = ""
    GROUP = ("", "")  # (id, title)
    HELP = ""
    NEEDS: tuple = ("rasterio",)
    ANSWERS = False  # whether a run without any output is of use, for what it says and returns
    UNASKED: dict = {}  # {output: suffix}: made on the way even when it is left out

    # --- what a subclass gives

    def define(self) -> None:
        """Add the parameters."""
        raise NotImplementedError

    def capture(self, parameters, context) -> dict:
        """Plain values from the parameters; runs on the main thread."""
        raise NotImplementedError

    def compute(self, values: dict, parameters, context, feedback, progress) -> dict:
        """Do the work and return the results; may run in a worker thread."""
        raise NotImplementedError

    # --- what QGIS asks

    def createInstance(self):
        return type(self)()

    def name(self) -> str:
        return self.ID

    def displayName(self) -> str:
        return tr(self.TITLE)

    def groupId(self) -> str:
        return self.GROUP[0]

    def group(self) -> str:
        return tr(self.GROUP[1])

    def shortHelpString(self) -> str:
        return tr(self.HELP)

    def canExecute(self):
        absent = packages.missing(*self.NEEDS)
        return (not absent, packages.sentence(absent) if absent else "")

    def initAlgorithm(self, configuration=None):
        self.define()

    def checkParameterValues(self, parameters, context):
        ready, reason = self.canExecute()
        if not ready:
            return False, reason
        # Not QGIS's own check: it opens every raster as a layer, which reads pixels on the main
        # thread and leaves statistics beside the user's file.
        problem = checks.told_password(parameters)
        if problem:
            return False, problem
        for definition in self.parameterDefinitions():
            problem = checks.parameter_problem(
                definition, parameters.get(definition.name()), context
            )
            if problem:
                return False, problem
        problem = "" if self.ANSWERS else checks.nothing_asked(self, parameters)
        return not problem, problem

    def validateInputCrs(self, parameters, context) -> bool:
        return True  # inputs in several CRSs are brought on one grid

    def prepareAlgorithm(self, parameters, context, feedback) -> bool:
        self._values, self._refusal = {}, None
        try:
            checks.require_destinations(self, parameters, context)
            self._new = checks.new_files(self, parameters)
            self._values = self.capture(parameters, context)
        except ConcordError as error:
            # Raised a moment later: QGIS answers a failure here with a sentence of its own.
            self._refusal = error
        return True

    def processAlgorithm(self, parameters, context, feedback) -> dict:
        progress = progress_of(feedback)
        try:
            if self._refusal is not None:
                raise self._refusal
            return self._computed(parameters, context, feedback, progress)
        except ConcordError as error:
            if isinstance(error, Cancelled):
                checks.take_back(self._new)
            raise QgsProcessingException(str(error)) from error
        except MemoryError as error:
            raise QgsProcessingException(
                tr("There is not enough memory for this run; choose a smaller extent.")
            ) from error

    def _computed(self, parameters, context, feedback, progress) -> dict:
        """The results; an output that was left out is made where it is gone afterwards."""
        values, self._unasked = self._values, {}
        with contextlib.ExitStack() as stack:
            for name, suffix in self.UNASKED.items():
                if parameters.get(name) not in checks.EMPTY:
                    continue
                place = stack.enter_context(scratch.file(self, parameters, name, suffix))
                self._unasked[name] = values[name.lower()] = place
            results = self.compute(values, parameters, context, feedback, progress)
        return {name: value for name, value in results.items() if name not in self._unasked}

    # --- shared ways of asking

    def add(self, parameter, help_text: str = ""):
        """Add a parameter with its tooltip."""
        if help_text:
            parameter.setHelp(tr(help_text))
        self.addParameter(parameter)

    def add_advanced(self, parameter, help_text: str = ""):
        """Add a parameter that the dialog folds away."""
        parameter.setFlags(parameter.flags() | QgsProcessingParameterDefinition.Flag.FlagAdvanced)
        self.add(parameter, help_text)

    def add_rasters(self, name: str, title: str, help_text: str = "", optional: bool = False):
        self.add(
            QgsProcessingParameterMultipleLayers(
                name, tr(title), QgsProcessing.SourceType.TypeRaster, optional=optional
            ),
            help_text,
        )

    def add_taxonomy(self):
        self.add(
            QgsProcessingParameterString("TAXONOMY", tr("Taxonomy"), "", optional=True),
            "Id of a class scheme or a JSON file; left out, the raster's own table is used.",
        )

    def add_raster_output(self, name: str, title: str, optional: bool = False, main: bool = False):
        """A raster; the ``main`` one may be left out, too, but forms offer to write it."""
        self.add(
            QgsProcessingParameterRasterDestination(
                name, tr(title), optional=optional or main, createByDefault=not optional
            )
        )

    def add_report(self, title: str = "Report", suffix: str = "html"):
        """A report of one file (json), or of a page with its numbers beside it (html)."""
        kinds = {"html": "HTML (*.html)", "json": "JSON (*.json)"}
        filters = ";;".join([kinds[suffix], *(v for k, v in kinds.items() if k != suffix)])
        self.add(
            QgsProcessingParameterFileDestination(
                "REPORT", tr(title), filters, optional=True, createByDefault=False
            )
        )

    def told(self, path: str | None, report: dict) -> dict:
        """Write a report of one file, when it was asked for; what the results say of it."""
        if not path:
            return {}
        files.write_json(path, scratch.told(report, self._unasked.values()))
        return {"REPORT": path}

    def reported(self, path: str | None, write, *values) -> dict:
        """Write a page with its numbers beside it, when a report was asked for."""
        if not path:
            return {}
        paths = write(path, *values)
        scratch.retell(paths["json"], self._unasked.values())
        return {"REPORT": path, "REPORT_HTML": paths["html"], "REPORT_JSON": paths["json"]}

    def raster(self, parameters, name: str, context) -> str | None:
        """The path of a raster parameter, None when it was left out."""
        value = parameters.get(name)
        return None if value in (None, "") else capture.raster_path(value, context)

    def rasters(self, parameters, name: str, context) -> list:
        """The paths of a list of rasters."""
        return [
            capture.raster_path(item, context) for item in capture.split_list(parameters.get(name))
        ]

    def extent(self, parameters, name: str, context) -> tuple | None:
        """((left, bottom, right, top), CRS text) of an extent parameter, None when left out.

        The CRS text is '' when the extent names none; it is then in the raster's own CRS.
        """
        if parameters.get(name) in (None, ""):
            return None
        box = self.parameterAsExtent(parameters, name, context)
        if box.isEmpty():
            raise ConcordError("The extent is empty; draw or choose an extent with an area.")
        crs = self.parameterAsExtentCrs(parameters, name, context)
        bounds = (box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum())
        return bounds, _own_crs(parameters[name], crs)

    def crs(self, parameters, name: str, context) -> str:
        """The CRS text of a CRS parameter, '' when it was left out."""
        value = parameters.get(name)
        if value in (None, ""):
            return ""
        crs = self.parameterAsCrs(parameters, name, context)
        if not crs.isValid():
            raise ConcordError(
                f"The CRS '{value}' is not known; give an authority code such as EPSG:32632."
            )
        return capture.crs_text(crs)

    def output(self, parameters, name: str, context, suffixes=(".tif", ".tiff")) -> str | None:
        """The path that a raster destination stands for, None when it was not asked for."""
        if parameters.get(name) in (None, ""):
            return None
        path = self.parameterAsOutputLayer(parameters, name, context)
        if path and os.path.splitext(path)[1].lower() not in suffixes:
            kinds = "GeoTIFF and VRT" if ".vrt" in suffixes else "GeoTIFF"
            ends = " or .vrt" if ".vrt" in suffixes else ""
            raise ConcordError(f"{path} must end in .tif{ends}; Concord writes {kinds}.")
        return path or None

    def file_output(self, parameters, name: str, context) -> str | None:
        """The path of a file or folder destination, None when it was not asked for."""
        if parameters.get(name) in (None, ""):
            return None
        return self.parameterAsFileOutput(parameters, name, context) or None


def _own_crs(value, crs) -> str:
    """The CRS that an extent states. QGIS answers with the project's when a text names none."""
    if isinstance(value, str) and "[" not in value and "," in value:
        return ""
    return capture.crs_text(crs)
