"""concord:parceltable: per parcel, date and band the median and percentiles of inner pixels."""

from __future__ import annotations

from qgis.core import (
    QgsProcessing,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterString,
)

from ..bridge import chips
from ..bridge.text import tr
from .base import ConcordAlgorithm


class ParcelTable(ConcordAlgorithm):
    ID = "parceltable"
    TITLE = "Parcel table"
    GROUP = ("campaign", "Campaign")
    HELP = (
        "Median, 10th and 90th percentile and valid count of every band of every image a parcel, "
        "without the mixed pixels along its edge."
    )

    def define(self):
        kinds = [QgsProcessing.SourceType.TypeVectorPolygon]
        self.add(QgsProcessingParameterFeatureSource("PARCELS", tr("Parcels"), kinds))
        self.add(
            QgsProcessingParameterField("ID_FIELD", tr("Id field"), None, "PARCELS", optional=True),
            "Left out, the feature's number.",
        )
        self.add(
            QgsProcessingParameterField("FIELD", tr("Class field"), None, "PARCELS", optional=True)
        )
        self.add_rasters("IMAGERY", "Images", "One file a date; dates are read from the names.")
        kind = QgsProcessingParameterNumber.Type.Double
        self.add(
            QgsProcessingParameterNumber("INNER", tr("Inner buffer"), kind, 0.5, minValue=0),
            "Pixels nearer to the edge than this many pixels are left out.",
        )
        self.add(QgsProcessingParameterString("DATE", tr("Date"), "", optional=True))
        filters = "CSV (*.csv);;Parquet (*.parquet)"
        self.add(QgsProcessingParameterFileDestination("OUTPUT", tr("Table"), filters))

    def capture(self, parameters, context):
        source = self.parameterAsSource(parameters, "PARCELS", context)
        name = self.parameterAsString(parameters, "ID_FIELD", context)
        field = self.parameterAsString(parameters, "FIELD", context)
        records, crs = chips.parcels(source, name, field)
        return {
            "records": records,
            "crs": crs,
            "imagery": self.rasters(parameters, "IMAGERY", context),
            "inner": self.parameterAsDouble(parameters, "INNER", context),
            "date": chips.iso_date(self.parameterAsString(parameters, "DATE", context)),
            "output": self.file_output(parameters, "OUTPUT", context),
        }

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine.chips import parcels

        counts = parcels.table(
            [parcels.Parcel(*record) for record in values["records"]], values["crs"],
            values["imagery"], values["output"], values["inner"], values["date"], progress,
        )  # fmt: skip
        feedback.pushInfo(tr("{} rows of {} parcels").format(counts["rows"], counts["parcels"]))
        if counts["empty"]:
            feedback.pushInfo(
                tr("{} times a parcel had no inner pixel in an image").format(counts["empty"])
            )
        return {"OUTPUT": values["output"], "ROWS": counts["rows"]}
