"""Looking at parameters before anything runs, so that a refusal is one sentence with a remedy."""

from __future__ import annotations

import contextlib
import os
import re

from qgis.core import (
    QgsMapLayer,
    QgsProcessing,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingOutputLayerDefinition,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterFile,
    QgsProcessingParameterMapLayer,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameters,
    QgsProperty,
)

from ..bridge import campaign_db, capture
from ..bridge.text import tr
from ..engine import files
from ..engine.errors import ConcordError

EMPTY = (None, "")


def told_password(parameters) -> str:
    """A sentence when STORE tells a password: Processing would keep it in its history."""
    if not campaign_db.holds_password(parameters.get("STORE") or ""):
        return ""
    return tr(
        "STORE holds a password, which Processing would keep in its history; keep it in an "
        "authentication configuration of QGIS (Settings, Options, Authentication), make a "
        "PostgreSQL connection with that, and give its name."
    )


def parameter_problem(definition, value, context) -> str:
    """Our own sentence for a value that cannot be used, or ''."""
    name, title = definition.name(), definition.description()
    if value in EMPTY:
        return _missing(definition, value)
    if isinstance(definition, QgsProcessingParameterRasterLayer):
        return _rasters_problem([value], context)
    if isinstance(definition, QgsProcessingParameterMultipleLayers):
        items = capture.split_list(value)
        if not items:
            return _missing(definition, "")
        if definition.layerType() == QgsProcessing.SourceType.TypeFile:
            return ""
        return _rasters_problem(items, context)
    if isinstance(definition, QgsProcessingParameterNumber) and not _is_number(value):
        return tr("{} is '{}'; give a number.").format(name, value)
    if isinstance(definition, QgsProcessingParameterFeatureSource):
        return _source_problem(definition, value, context)
    if definition.checkValueIsAcceptable(value, context):
        return ""
    if isinstance(definition, QgsProcessingParameterMapLayer) and isinstance(
        value, QgsProcessingFeatureSourceDefinition
    ):
        return ""  # the selected features of a layer where a raster may stand, too
    if isinstance(definition, QgsProcessingParameterNumber):
        return _number_problem(definition, value)
    if isinstance(definition, QgsProcessingParameterExtent):
        return tr("{} is no extent ({}); give xmin,xmax,ymin,ymax [EPSG:code].").format(name, value)
    if isinstance(definition, QgsProcessingParameterEnum):
        choices = ", ".join(definition.options())
        return tr("{} is '{}'; choose one of {}.").format(name, value, choices)
    if isinstance(definition, QgsProcessingParameterFile) and definition.extension():
        wanted = definition.extension()
        return tr("{} is {}; choose a .{} file that exists.").format(name, value, wanted)
    return tr("{} cannot be used ({}); see its help: {}.").format(name, value, title)


def nothing_asked(algorithm, parameters) -> str:
    """A sentence when an algorithm that only writes is asked for no output, or ''."""
    names = [d.name() for d in algorithm.destinationParameterDefinitions()]
    if not names or any(parameters.get(name) not in EMPTY for name in names):
        return ""
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
    return tr("Nothing would be written; say where to write {}.").format(listed)


def _missing(definition, value) -> str:
    optional = definition.flags() & QgsProcessingParameterDefinition.Flag.FlagOptional
    if optional or (value is None and definition.defaultValue() not in EMPTY):
        return ""
    verb = tr("say where to write it") if definition.isDestination() else tr("choose one")
    return tr("{} ({}) is missing; {}.").format(definition.name(), definition.description(), verb)


def _rasters_problem(items, context) -> str:
    try:
        paths = [capture.raster_path(item, context) for item in items]
    except ConcordError as error:
        return str(error)
    return next((p for p in map(capture.raster_problem, paths) if p), "")


def _is_number(value) -> bool:
    """Whether a value can be a number; QGIS takes any text for an optional one's default."""
    if not isinstance(value, str):
        return True
    try:
        float(value)
    except ValueError:
        return False
    return True


def _source_problem(definition, value, context) -> str:
    """A sentence for features that cannot be opened; QGIS takes any path, and no features then."""
    name = definition.name()
    if definition.checkValueIsAcceptable(value, context):
        source = QgsProcessingParameters.parameterAsSource(definition, {name: value}, context)
        if source is not None:
            return ""
    if isinstance(value, QgsProcessingFeatureSourceDefinition):
        value = value.source.staticValue()
    return tr("{} cannot be opened ({}); choose a vector layer.").format(name, value)


def _number_problem(definition, value) -> str:
    low, high = definition.minimum(), definition.maximum()
    if high < 1e300:
        wanted = tr("give a number from {:g} to {:g}").format(low, high)
    else:
        wanted = tr("give a number of at least {:g}").format(low)
    return tr("{} is {}; {}.").format(definition.name(), value, wanted)


def destination_text(value) -> str:
    """The file behind a destination's value; '' for temporary and memory layers and databases."""
    if isinstance(value, QgsProcessingOutputLayerDefinition):
        value = value.sink
    if isinstance(value, QgsProperty):
        value = value.staticValue()
    text = str(value or "")
    # A driver or provider before a colon; one letter is a drive of Windows.
    if text == QgsProcessing.TEMPORARY_OUTPUT or re.match(r"[A-Za-z][\w+]+:", text):
        return ""
    return text


def require_destinations(algorithm, parameters, context) -> None:
    """Refuse, before any work, destinations that collide or that cannot be written.

    Raises:
        ConcordError: an output names an input or another output, or its folder is not writable.
    """
    taken = {os.path.realpath(path): path for path in _inputs(algorithm, parameters, context)}
    named: dict = {}
    for definition in algorithm.destinationParameterDefinitions():
        text, name = destination_text(parameters.get(definition.name())), definition.name()
        if not text:
            continue
        place = os.path.realpath(text)
        if place in taken:
            raise ConcordError(f"{name} would overwrite the input {text}; choose another file.")
        if place in named:
            raise ConcordError(
                f"{named[place]} and {name} both name {text}; give each its own file."
            )
        named[place] = name
        files.require_writable(text)


def new_files(algorithm, parameters) -> list:
    """Destinations that are files and are not there yet."""
    texts = (
        destination_text(parameters.get(definition.name()))
        for definition in algorithm.destinationParameterDefinitions()
    )
    return [text for text in texts if text and not os.path.lexists(text)]


def take_back(paths: list) -> None:
    """Remove files that a cancelled run had finished, with what GDAL keeps beside them."""
    for path in paths:
        for own in (path, f"{path}.aux.xml"):
            if os.path.isfile(own):
                with contextlib.suppress(OSError):
                    os.unlink(own)


def _inputs(algorithm, parameters, context) -> list:
    """Files that the parameters read."""
    found = []
    for definition in algorithm.parameterDefinitions():
        value = parameters.get(definition.name())
        if definition.isDestination() or value in EMPTY:
            continue
        if isinstance(
            definition, (QgsProcessingParameterRasterLayer, QgsProcessingParameterMultipleLayers)
        ):
            several = isinstance(definition, QgsProcessingParameterMultipleLayers)
            items = capture.split_list(value) if several else [value]
            found += [capture.raster_path(item, context) for item in items]
        elif isinstance(definition, QgsProcessingParameterFeatureSource):
            source = value.source() if isinstance(value, QgsMapLayer) else value
            if isinstance(source, str):
                found.append(source.split("|")[0])
    return found
