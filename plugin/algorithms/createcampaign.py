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
from ..engine.errors import ConcordError
from .base import ConcordAlgorithm

_SAMPLING = ("all", "random", "stratified", "uncertainty")
_REVEAL = ("seal", "submission")


class CreateCampaign(ConcordAlgorithm):
    ID = "createcampaign"
    TITLE = "Create campaign"
    GROUP = ("campaign", "Campaign")
    ANSWERS = True
    HELP = (
        "Lays a grid of chips over the imagery (or takes polygons), chooses the places to label, "
        "and hands them out so that everybody has equal work and nobody sees a place twice. The "
        "store is a GeoPackage, or a PostgreSQL connection of QGIS (NAME or NAME/SCHEMA), where "
        "every annotator is a database role. An existing store is never overwritten."
    )

    def define(self):
        self._places()
        self._people()
        self._sampling()
        self._known_answers()
        self._rules()
        self._number("SEED", "Seed", 0, 0, "The same seed plans the same campaign.")
        self._text("TITLE", "Title", "Shown to everybody.", "Campaign")
        self._text(
            "STORE", "Store",
            "A new .gpkg file, or a PostgreSQL connection of QGIS: NAME or NAME/SCHEMA.",
        )  # fmt: skip
        self.add_report(suffix="json")
        self.addOutput(QgsProcessingOutputString("STORE", tr("Store")))

    def _places(self):
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
        self._text(
            "TAXONOMY", "Taxonomy",
            "Id of a class scheme or a JSON file; it stays fixed for the campaign.",
        )  # fmt: skip
        self._number("CHIP_SIZE", "Chip size", 256, 8, "Pixels along one side of a task.")

    def _people(self):
        self._text(
            "ANNOTATORS", "Annotators",
            "Names, separated by semicolons; in PostgreSQL these are database roles.",
        )  # fmt: skip
        self._text("REVIEWERS", "Reviewers", "Names of the people who settle doubtful tasks.", "")
        self._text(
            "LEAD", "Lead",
            "Who runs the campaign; in PostgreSQL that is the role of the connection.", "lead",
        )  # fmt: skip
        self._number("COPIES", "Copies", 3, 1, "People who label the same task.")
        self._share("OVERLAP", "Overlap", 1.0,
                    "Share of tasks with all copies; the others get one.")  # fmt: skip
        self.add(
            QgsProcessingParameterBoolean("POOL", tr("Hand out on demand"), False, optional=True),
            "Whoever asks next gets a task; off, every task is assigned in advance.",
        )

    def _known_answers(self):
        self.add(
            QgsProcessingParameterRasterLayer("GOLD", tr("Gold"), optional=True),
            "Known answers (0 where nothing is known); such tasks test everybody, unseen.",
        )
        self._text(
            "GOLD_TAXONOMY", "Taxonomy of the gold raster",
            "Id of its class scheme, when that is not the campaign's; its classes are moved to "
            "the campaign's, and what is lost is said.", "",
        )  # fmt: skip
        self._share("GOLD_SHARE", "Gold share", 0.1, "Share of tasks that test people.")

    def _rules(self):
        self._number("STAGES", "Review stages", 1, 0, "0 to 3 reviews before sealing.", most=3)
        self.add(
            QgsProcessingParameterEnum(
                "REVEAL", tr("Others' work is shown after"), list(_REVEAL), False, "seal", True,
                True,
            ),
            "seal: when the task is sealed; submission: when one has submitted it oneself.",
        )  # fmt: skip
        text = "Tasks whose mean agreement reaches this may be sealed without a review."
        self._share("MIN_AGREEMENT", "Agreement to seal", 0.8, text)
        text = "Their mean posterior must reach this, too; 0 asks nothing."
        self._share("MIN_POSTERIOR", "Posterior to seal", 0.0, text)
        self._text(
            "COSTS", "Cost per class",
            "What a mistake costs, as class=cost;class=cost; classes left out cost 1. Tasks whose "
            "doubt is about dear classes come first in the queue.", "",
        )  # fmt: skip
        self._number(
            "TOLERANCE", "Edge tolerance", 1, 0,
            "Pixels around edges that do not count when people are judged.", most=20,
        )  # fmt: skip
        self._number(
            "MINUTES", "Minutes per task", 10.0, 0.1,
            "A first guess for the estimate of hours; measured times replace it.", real=True,
        )  # fmt: skip

    def _text(self, name, title, text, default=None):
        """A text; one with a default may be left out."""
        optional = default is not None
        self.add(QgsProcessingParameterString(name, tr(title), default, optional=optional), text)

    def _share(self, name, title, default, text):
        self._number(name, title, default, 0, text, most=1.0, real=True)

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
            reveal=text("REVEAL") or "seal", seed=number("SEED"), tolerance=number("TOLERANCE"),
            min_agreement=self.parameterAsDouble(parameters, "MIN_AGREEMENT", context),
            minutes=self.parameterAsDouble(parameters, "MINUTES", context),
            min_posterior=self.parameterAsDouble(parameters, "MIN_POSTERIOR", context),
            costs=text("COSTS"), gold_taxonomy=text("GOLD_TAXONOMY").strip(),
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
            raise ConcordError("The sites cannot be read; choose a polygon layer.")
        crs = capture.qgis_crs(capture.raster_crs(imagery[0]))
        move = QgsCoordinateTransform(source.sourceCrs(), crs, context.transformContext())
        boxes = []
        for feature in source.getFeatures():
            if not feature.geometry().isEmpty():
                box = move.transformBoundingBox(feature.geometry().boundingBox())
                boxes.append((box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum()))
        if not boxes:
            raise ConcordError(
                f"The layer {source.sourceName()} has no polygon; draw sites or leave SITES out."
            )
        return tuple(boxes)

    def compute(self, values, parameters, context, feedback, progress):
        from ..bridge import campaign_create
        from ..engine.campaign import setup

        plan = setup.plan(values["wishes"], progress)
        for note in plan.notes:
            feedback.pushInfo(note)
        campaign_create.create(values["where"], plan)
        feedback.pushInfo(tr("{n} tasks were made.").format(n=len(plan.tasks)))
        results = {"STORE": values["store"]}
        return {**results, **self.told(values["report"], setup.summary(plan))}
