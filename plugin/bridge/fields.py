"""Attribute fields; QGIS moved their types from QVariant to QMetaType in 3.38."""

from __future__ import annotations

from qgis.core import Qgis, QgsField, QgsFields
from qgis.PyQt.QtCore import QMetaType, QVariant

if Qgis.QGIS_VERSION_INT >= 33800:
    _TYPES = {
        "int": QMetaType.Type.Int,
        "real": QMetaType.Type.Double,
        "text": QMetaType.Type.QString,
    }
else:
    _TYPES = {
        "int": QVariant.Type.Int,
        "real": QVariant.Type.Double,
        "text": QVariant.Type.String,
    }


def fields_of(**kinds: str) -> QgsFields:
    """Fields in order from name=kind, where kind is int, real or text."""
    fields = QgsFields()
    for name, kind in kinds.items():
        fields.append(QgsField(name, _TYPES[kind]))
    return fields
