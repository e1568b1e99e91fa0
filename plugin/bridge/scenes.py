"""What a scene's layers remember: sensor, reason, bands, units and date, as custom properties.

The properties stand in the project, so that a later run on the same layer need not guess again,
and models and styles find bands by name. Keys: ``concord/sensor``, ``concord/reason``,
``concord/bands``, ``concord/units``, ``concord/wavelengths``, ``concord/date``,
``concord/corrections`` (what the user said of single files, as JSON).
"""

from __future__ import annotations

import json
from pathlib import Path

from qgis.core import (
    Qgis,
    QgsDateTimeRange,
    QgsMapLayer,
    QgsProject,
    QgsRasterLayer,
)
from qgis.PyQt.QtCore import QDate, QDateTime, QTime

PREFIX = "concord/"


def remember(layer: QgsRasterLayer, report: dict, corrections: dict | None = None) -> None:
    """Write what a loadscene report and the user say of a layer into the layer."""
    bands = report.get("bands", [])
    sensors = report.get("sensors", [])
    values = {
        "sensor": ";".join(str(sensor.get("id", "")) for sensor in sensors),
        "reason": "; ".join(
            f"{sensor.get('title', '')}: {sensor.get('reason', '')}" for sensor in sensors
        ),
        "bands": ";".join(str(band.get("name", "")) for band in bands),
        "units": ";".join(str(band.get("unit", "")) for band in bands),
        "wavelengths": ";".join(str(band.get("wavelength") or "") for band in bands),
        "date": ";".join(report.get("dates", [])),
    }
    for key, value in values.items():
        layer.setCustomProperty(PREFIX + key, value)
    if corrections:
        text = json.dumps(corrections, ensure_ascii=False)
        layer.setCustomProperty(PREFIX + "corrections", text)
    if len(report.get("dates", [])) == 1:
        set_date(layer, report["dates"][0])


def set_date(layer: QgsRasterLayer, date: str, active: bool = False) -> None:
    """Write a layer's day (YYYY-MM-DD); ``active`` lets QGIS's temporal controller show it then."""
    day = QDate.fromString(date, "yyyy-MM-dd")
    if not day.isValid():
        return
    start = QDateTime(day, QTime(0, 0))
    properties = layer.temporalProperties()
    properties.setMode(Qgis.RasterTemporalMode.FixedTemporalRange)
    properties.setFixedTemporalRange(QgsDateTimeRange(start, start.addDays(1), True, False))
    properties.setIsActive(active)


def correct_sensor(layer: QgsRasterLayer, sensor: str) -> None:
    """Keep the user's own word on which sensor a layer comes from; '' forgets it."""
    if sensor:
        layer.setCustomProperty(PREFIX + "sensor", sensor)
        layer.setCustomProperty(PREFIX + "reason", "chosen by the user")
    else:
        layer.removeCustomProperty(PREFIX + "sensor")
        layer.removeCustomProperty(PREFIX + "reason")


def remembered_corrections(project: QgsProject, inputs: list[str]) -> dict:
    """What the project's layers remember of these files and of files below these folders."""
    found: dict = {}
    places = [Path(given) for given in inputs]
    for layer in project.mapLayers().values():
        text = layer.customProperty(PREFIX + "corrections")
        if not text:
            continue
        try:
            told = json.loads(str(text))
        except ValueError:  # a project that was edited by hand
            continue
        for path, entry in told.items():
            own = Path(path)
            if any(place == own or place in own.parents for place in places):
                found[path] = entry
    return found


def remembered_sensor(item: object, context=None) -> str:
    """The sensor that a layer, or the layer behind a path, remembers; else ``auto``."""
    layer = item if isinstance(item, QgsMapLayer) else _layer_of(str(item), context)
    if layer is None:
        return "auto"
    sensor = str(layer.customProperty(PREFIX + "sensor") or "")
    told = str(layer.customProperty(PREFIX + "reason") or "")
    # A finished scene names its bands itself; only the user's word on a raw file is needed.
    return sensor if sensor and told == "chosen by the user" else "auto"


def _layer_of(text: str, context) -> QgsMapLayer | None:
    project = context.project() if context is not None else None
    project = project or QgsProject.instance()
    layer = project.mapLayer(text)
    if layer is not None:
        return layer
    return next((x for x in project.mapLayers().values() if x.source() == text), None)
