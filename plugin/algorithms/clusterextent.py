"""concord:clusterextent: draft classes of an extent without any labels."""

from __future__ import annotations

from qgis.core import (
    QgsProcessingParameterExtent,
    QgsProcessingParameterNumber,
    QgsProcessingParameterString,
)

from ..bridge import capture
from ..bridge.text import tr
from .base import ConcordAlgorithm


class ClusterExtent(ConcordAlgorithm):
    ID = "clusterextent"
    TITLE = "Cluster an extent"
    GROUP = ("models", "Models")
    UNASKED = {"OUTPUT": ".tif"}
    NEEDS = ("rasterio", "scipy")
    HELP = (
        "Sorts pixels into classes by their values alone (principal components or MNF, then "
        "k-means). The classes have numbers, not meanings: a draft to name and correct."
    )

    def define(self):
        self.add_rasters("INPUT", "Image", "One or more rasters of the place.")
        integer = QgsProcessingParameterNumber.Type.Integer
        self.add(QgsProcessingParameterNumber("CLUSTERS", tr("Clusters"), integer, 6, True, 2, 254))
        self.add(QgsProcessingParameterExtent("EXTENT", tr("Extent"), optional=True))
        self.add(
            QgsProcessingParameterString("TRANSFORM", tr("Transform"), "pca", optional=True),
            "pca, mnf or none.",
        )
        self.add(
            QgsProcessingParameterNumber("COMPONENTS", tr("Components"), integer, 0, True, 0, 1000),
            "How many components are kept; 0 keeps 99 % of the variance.",
        )
        self.add(
            QgsProcessingParameterString("BANDS", tr("Bands"), "", optional=True),
            "Names separated by ';'; left out, all bands.",
        )
        self.add(
            QgsProcessingParameterNumber("SEED", tr("Seed"), integer, 0, True, 0),
            "The same seed gives the same classes.",
        )
        self.add_raster_output("OUTPUT", "Draft classes", main=True)
        self.add_report("Report (JSON)", "json")

    def capture(self, parameters, context):
        return {
            "inputs": self.rasters(parameters, "INPUT", context),
            "clusters": self.parameterAsInt(parameters, "CLUSTERS", context),
            "extent": self.extent(parameters, "EXTENT", context),
            "transform": self.parameterAsString(parameters, "TRANSFORM", context) or "pca",
            "components": self.parameterAsInt(parameters, "COMPONENTS", context),
            "bands": tuple(capture.split_list(parameters.get("BANDS"))),
            "seed": self.parameterAsInt(parameters, "SEED", context),
            "output": self.output(parameters, "OUTPUT", context),
            "report": self.file_output(parameters, "REPORT", context),
        }

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine.learn import cluster

        asked = ("inputs", "output", "clusters", "transform", "components", "bands", "extent")
        report = cluster.cluster(
            **{name: values[name] for name in (*asked, "seed")}, progress=progress
        )
        results = {"OUTPUT": values["output"]}
        return {**results, **self.told(values["report"], report)}
