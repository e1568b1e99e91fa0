"""concord:createcampaign: imagery, people and wishes in, a store with tasks out."""

from __future__ import annotations

from qgis.core import (
    QgsCoordinateTransform,
    QgsProcessing,
    QgsProcessingOutputString,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterEnum,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from ..bridge import capture
from ..bridge.text import tr
from .base import ConcordAlgorithm

_SAMPLING = ("all", "random", "stratified", "uncertainty")
_REVEAL = ("seal", "submission")


class CreateCampaign(ConcordAlgorithm):
    ID = "createcampaign"
    TITLE = "Create campaign"
    GROUP = ("campaign", "Campaign")
    HELP = (
        "Lays a grid of chips over the imagery (or takes polygons), chooses the places to label, "
        "and hands them out so that everybody has equal work and nobody sees a place twice. The "
        "store is a GeoPackage, or a PostgreSQL connection of QGIS (NAME or NAME/SCHEMA), where "
        "every annotator is a database role. An existing store is never overwritten."
    )

    def define(self):
        self.add_rasters("IMAGERY", "Imagery", "What annotators look at; the first gives the grid.")
        self.add(
            QgsProcessingParameterExtent("EXTENT", tr("Extent"), optional=True),
            "Where to label; left out, the whole first raster.",
        )
        self.add(
            QgsProcessingParameterFeatureSource(
                "SITES", tr("Sites"), [QgsProcessing.SourceType.TypeVectorPolygon], optional=True
            ),
            "Polygons whose boxes become tasks instead of a chip grid.",
        )
        self.add(
            QgsProcessingParameterString("TAXONOMY", tr("Taxonomy")),
            "Id of a class scheme or a JSON file; it stays fixed for the campaign.",
        )
        self._number("CHIP_SIZE", "Chip size", 256, 8, "Pixels along one side of a task.")
        self.add(
            QgsProcessingParameterString("ANNOTATORS", tr("Annotators")),
            "Names, separated by semicolons; in PostgreSQL these are database roles.",
        )
        self.add(
            QgsProcessingParameterString("REVIEWERS", tr("Reviewers"), "", optional=True),
            "Names of the people who settle doubtful tasks.",
        )
        self.add(
            QgsProcessingParameterString("LEAD", tr("Lead"), "lead", optional=True),
            "Who runs the campaign; in PostgreSQL that is the role of the connection.",
        )
        self._number("COPIES", "Copies", 3, 1, "People who label the same task.")
        self._number(
            "OVERLAP", "Overlap", 1.0, 0, "Share of tasks with all copies; the others get one.",
            most=1.0, real=True,
        )  # fmt: skip
        self._sampling()
        self.add(
            QgsProcessingParameterRasterLayer("GOLD", tr("Gold"), optional=True),
            "Known answers (0 where nothing is known); such tasks test everybody, unseen.",
        )
        self._number(
            "GOLD_SHARE", "Gold share", 0.1, 0, "Share of tasks that test people.",
            most=1.0, real=True,
        )  # fmt: skip
        self.add(
            QgsProcessingParameterBoolean("POOL", tr("Hand out on demand"), False, optional=True),
            "Whoever asks next gets a task; off, every task is assigned in advance.",
        )
        self._number("STAGES", "Review stages", 1, 0, "0 to 3 reviews before sealing.", most=3)
        self.add(
            QgsProcessingParameterEnum(
                "REVEAL",
                tr("Others' work is shown after"),
                list(_REVEAL),
                False,
                "seal",
                True,
                True,
            ),
            "seal: when the task is sealed; submission: when one has submitted it oneself.",
        )
        self._number("SEED", "Seed", 0, 0, "The same seed plans the same campaign.")
        self.add(QgsProcessingParameterString("TITLE", tr("Title"), "Campaign", optional=True))
        self.add(
            QgsProcessingParameterString("STORE", tr("Store")),
            "A new .gpkg file, or a PostgreSQL connection of QGIS: NAME or NAME/SCHEMA.",
        )
        self.add_report(suffix="json")
        self.addOutput(QgsProcessingOutputString("STORE", tr("Store")))

    def _number(self, name, title, default, least, text, most=None, real=False):
        kinds = QgsProcessingParameterNumber.Type
        limits = {} if most is None else {"maxValue": most}
        self.add(
            QgsProcessingParameterNumber(
                name, tr(title), kinds.Double if real else kinds.Integer, default,
                optional=True, minValue=least, **limits,
            ),
            text,
        )  # fmt: skip

    def _sampling(self):
        self.add(
            QgsProcessingParameterEnum(
                "SAMPLING", tr("Sampling"), list(_SAMPLING), False, "all", True, True
            ),
            "Which places become tasks.",
        )
        self._number("SITES_COUNT", "Number of sites", 0, 0, "0 takes all.")
        self.add(
            QgsProcessingParameterRasterLayer("STRATA", tr("Strata"), optional=True),
            "An existing class map; every class gets the same number of sites.",
        )
        self.add(
            QgsProcessingParameterRasterLayer("UNCERTAINTY", tr("Uncertainty"), optional=True),
            "Doubt of a model or disagreement; the highest means come first.",
        )

    def capture(self, parameters, context):
        from ..bridge import campaign_db
        from ..engine.campaign.setup import Wishes

        def text(name):
            return self.parameterAsString(parameters, name, context)

        def number(name):
            return self.parameterAsInt(parameters, name, context)

        def names(name):
            return tuple(n.strip() for n in text(name).split(";")) if text(name).strip() else ()

        imagery = tuple(self.rasters(parameters, "IMAGERY", context))
        wishes = Wishes(
            imagery, text("TAXONOMY"), names("ANNOTATORS"),
            title=text("TITLE") or "Campaign", reviewers=names("REVIEWERS"),
            lead=text("LEAD").strip() or "lead", chip=number("CHIP_SIZE"),
            extent=self.extent(parameters, "EXTENT", context),
            boxes=self._boxes(parameters, context, imagery),
            sampling=text("SAMPLING") or "all", count=number("SITES_COUNT"),
            strata=self.raster(parameters, "STRATA", context),
            uncertainty=self.raster(parameters, "UNCERTAINTY", context),
            copies=number("COPIES"),
            overlap=self.parameterAsDouble(parameters, "OVERLAP", context),
            gold=self.raster(parameters, "GOLD", context),
            gold_share=self.parameterAsDouble(parameters, "GOLD_SHARE", context),
            pool=self.parameterAsBool(parameters, "POOL", context), stages=number("STAGES"),
            reveal=text("REVEAL") or "seal", seed=number("SEED"),
        )  # fmt: skip
        return {
            "wishes": wishes,
            "store": text("STORE"),
            "where": campaign_db.address(text("STORE")),
            "report": self.file_output(parameters, "REPORT", context),
        }

    def _boxes(self, parameters, context, imagery) -> tuple:
        """Boxes of the site polygons in the CRS of the first raster."""
        if parameters.get("SITES") in (None, "") or not imagery:
            return ()
        source = self.parameterAsSource(parameters, "SITES", context)
        if source is None:
            return ()
        crs = capture.qgis_crs(capture.raster_crs(imagery[0]))
        move = QgsCoordinateTransform(source.sourceCrs(), crs, context.transformContext())
        boxes = []
        for feature in source.getFeatures():
            if not feature.geometry().isEmpty():
                box = move.transformBoundingBox(feature.geometry().boundingBox())
                boxes.append((box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum()))
        return tuple(boxes)

    def compute(self, values, parameters, context, feedback, progress):
        from ..bridge import campaign_create
        from ..engine import files
        from ..engine.campaign import setup

        plan = setup.plan(values["wishes"], progress)
        for note in plan.notes:
            feedback.pushInfo(note)
        campaign_create.create(values["where"], plan)
        feedback.pushInfo(tr("{n} tasks were made.").format(n=len(plan.tasks)))
        results = {"STORE": values["store"]}
        if values["report"]:
            files.write_json(values["report"], setup.summary(plan))
            results["REPORT"] = values["report"]
        return results
