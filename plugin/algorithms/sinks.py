"""Features written as a whole or not at all, whatever the destination."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from qgis.core import (
    QgsFeature,
    QgsFeatureSink,
    QgsProcessingContext,
    QgsProcessingOutputLayerDefinition,
    QgsProcessingUtils,
    QgsVectorLayer,
    QgsWkbTypes,
)

from ..engine.errors import ConcordError, explain_os_error
from .checks import destination_text


def write(algorithm, parameters, name: str, context, fields, crs, rows) -> str:
    """Write (geometry, attributes) ``rows`` to the sink parameter ``name``; its identifier.

    A file is written in a folder of its own beside its place and moved there when it is complete,
    so that a cancelled run or a full disk leaves what was there before.

    Raises:
        ConcordError: the destination cannot be written, or ``rows`` raises it.
    """
    value = parameters[name]
    target = destination_text(value)
    if not target:
        return _fill(algorithm, parameters, name, context, fields, crs, rows)[0]
    with _beside(Path(target)) as temporary:
        changed = {**parameters, name: str(temporary)}
        _, count = _fill(algorithm, changed, name, context, fields, crs, rows)
        _verify(temporary, target, count)
        for made in sorted(temporary.parent.iterdir()):  # several files for a shapefile
            os.replace(made, Path(target).parent / made.name)
    _load_later(algorithm, value, name, target, context)
    return target


@contextlib.contextmanager
def _beside(target: Path):
    """A path of the same name in a temporary folder beside ``target``; the layer keeps its name."""
    folder = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.mkdtemp(prefix=f".{target.stem}.", suffix=".part", dir=target.parent)
        yield Path(folder) / target.name
    except OSError as error:
        raise explain_os_error(error, target) from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _fill(algorithm, parameters, name, context, fields, crs, rows) -> tuple:
    """(identifier, number of features); the sink is closed on return."""
    sink, identifier = algorithm.parameterAsSink(
        parameters, name, context, fields, QgsWkbTypes.Type.MultiPolygon, crs
    )
    if sink is None:
        raise ConcordError(f"{parameters[name]} cannot be written; choose another output.")
    count = 0
    for geometry, attributes in rows:
        feature = QgsFeature(fields)
        feature.setGeometry(geometry)
        feature.setAttributes(attributes)
        if not sink.addFeature(feature, QgsFeatureSink.Flag.FastInsert):
            raise _not_written(parameters[name])
        count += 1
    sink.flushBuffer()
    return identifier, count


def _verify(path: Path, target: str, count: int) -> None:
    # The last features are written when the file is closed, where an error has nobody to tell.
    layer = QgsVectorLayer(str(path), "check", "ogr")
    if not layer.isValid() or layer.featureCount() != count:
        raise _not_written(target)


def _not_written(target) -> ConcordError:
    return ConcordError(
        f"The disk is full or failed while writing {target}; free some space or choose another "
        "folder."
    )


def _load_later(algorithm, value, name: str, target: str, context) -> None:
    """Ask QGIS to open the layer after the run, as it does for sinks that it opens itself."""
    if not isinstance(value, QgsProcessingOutputLayerDefinition) or not value.destinationProject:
        return
    title = value.destinationName or algorithm.parameterDefinition(name).description()
    details = QgsProcessingContext.LayerDetails(
        title, value.destinationProject, name, QgsProcessingUtils.LayerHint.Vector
    )
    context.addLayerToLoadOnCompletion(target, details)
