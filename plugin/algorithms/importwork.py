"""concord:importwork: labels made elsewhere become an annotator's work in a campaign."""

from __future__ import annotations

from qgis.core import (
    QgsProcessing,
    QgsProcessingOutputNumber,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterFile,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from ..bridge import capture
from ..bridge.text import tr
from ..engine.errors import ConcordError
from .base import ConcordAlgorithm


class ImportWork(ConcordAlgorithm):
    ID = "importwork"
    TITLE = "Import an annotator's work"
    GROUP = ("campaign", "Campaign")
    HELP = (
        "Cuts a class raster, a polygon layer with a field class, a COCO file or a CVAT file "
        "(polygons or run-length masks) to the tasks of one annotator and saves or submits them. "
        "In COCO and CVAT the image's name ends in the task's number. Submitted and sealed tasks "
        "are left alone."
    )

    def define(self):
        self.add(
            QgsProcessingParameterString("STORE", tr("Store")),
            "A .gpkg file, or a PostgreSQL connection of QGIS: NAME or NAME/SCHEMA.",
        )
        self.add(
            QgsProcessingParameterString("PERSON", tr("Annotator"), "", optional=True),
            "Whose work it is; in PostgreSQL the role of the connection decides.",
        )
        self.add(
            QgsProcessingParameterRasterLayer("RASTER", tr("Class raster"), optional=True),
            "Class codes of the campaign; 0 where nothing is labelled.",
        )
        self.add(
            QgsProcessingParameterFeatureSource(
                "POLYGONS", tr("Polygons"), [QgsProcessing.SourceType.TypeVectorPolygon],
                optional=True,
            ),
            "Polygons with the class code in a field class.",
        )  # fmt: skip
        self.add(
            QgsProcessingParameterFile("FILE", tr("COCO or CVAT file"), optional=True),
            "A COCO .json or a CVAT for images .xml, with polygons or masks as run lengths.",
        )
        self.add(
            QgsProcessingParameterString("FROM", tr("Taxonomy of the raster"), "", optional=True),
            "Id of the raster's own class scheme; its classes are moved to the campaign's, and "
            "what is lost is said.",
        )
        self.add(
            QgsProcessingParameterBoolean("SUBMIT", tr("Submit"), True, optional=True),
            "Off: the work is saved and can be gone on with.",
        )
        self.addOutput(QgsProcessingOutputNumber("TASKS", tr("Tasks")))

    def capture(self, parameters, context):
        from ..bridge import campaign_db

        given = [n for n in ("RASTER", "POLYGONS", "FILE") if parameters.get(n) not in (None, "")]
        if len(given) != 1:
            raise ConcordError("Give one of a class raster, a polygon layer or a file.")
        where = campaign_db.address(self.parameterAsString(parameters, "STORE", context))
        person = self.parameterAsString(parameters, "PERSON", context).strip()
        shapes = None
        if given == ["POLYGONS"]:
            source = self.parameterAsSource(parameters, "POLYGONS", context)
            if source is None or source.fields().indexOf("class") < 0:
                raise ConcordError("The polygons have no field class; add it with the class codes.")
            # The campaign's CRS is asked for in compute: a store may keep one waiting.
            found = capture.features_of(source, ("class",))
            shapes = (found, source.sourceCrs(), context.transformContext(), source.sourceName())
        return {
            "where": where, "person": person, "kind": given[0], "shapes": shapes,
            "raster": self.raster(parameters, "RASTER", context),
            "file": self.parameterAsFile(parameters, "FILE", context),
            "scheme": self.parameterAsString(parameters, "FROM", context).strip(),
            "submit": self.parameterAsBool(parameters, "SUBMIT", context),
        }  # fmt: skip

    def compute(self, values, parameters, context, feedback, progress):
        from ..bridge.campaign_store import Store

        with Store(values["where"], values["person"]) as store:
            open_tasks = store.my_open_tasks()
            windows = {task.id: task.window for task in open_tasks}
            found = self._found(values, windows, store, feedback)
            if not found:
                raise ConcordError(
                    "Nothing in it lies in an open task of this annotator; check place and names."
                )
            for done, task in enumerate(sorted(found)):
                progress.report(done, len(found), "Importing", "tasks")
                mask, shapes = found[task]
                act = store.submit if values["submit"] else store.save
                act(task, mask, shapes)
        feedback.pushInfo(tr("{n} tasks were imported.").format(n=len(found)))
        return {"TASKS": len(found)}

    @staticmethod
    def _found(values, windows, store, feedback) -> dict:
        from ..engine import crosswalk, taxonomy
        from ..engine.campaign import imports

        grid, scheme = store.settings.grid, store.scheme
        if values["kind"] == "RASTER" and values["scheme"]:
            walk = crosswalk.between(taxonomy.load(values["scheme"]), scheme)
            for loss in walk.losses:
                feedback.pushWarning(loss)
            raw = imports.of_raster(values["raster"], windows, grid, walk.source)
            return {task: (walk.apply(mask), text) for task, (mask, text) in raw.items()}
        if values["kind"] == "RASTER":
            return imports.of_raster(values["raster"], windows, grid, scheme)
        if values["kind"] == "POLYGONS":
            found, crs, transforms, name = values["shapes"]
            moved = capture.as_json(found, crs, grid.crs, transforms, name)
            shapes = _coded(moved, scheme, name)
            scheme.check({code for _, code in shapes}, f"The layer {name}")
            return imports.of_shapes(shapes, windows, grid)
        read = imports.of_cvat if values["file"].lower().endswith(".xml") else imports.of_coco
        return read(values["file"], windows, grid, scheme)


def _coded(found, scheme, name: str) -> list:
    """[(GeoJSON geometry, code)]; the field class holds codes or names, empty ones are left out.

    Raises:
        ConcordError: a value is neither a code nor a name of the campaign's scheme.
    """
    shapes = []
    for shape, attributes in found:
        value = attributes["class"]
        if value is None or str(value).strip() in ("", "NULL"):
            continue
        code = scheme.code_of(value)
        if code is None:
            known = ", ".join(f"{c.code} {c.name}" for c in scheme.classes[:6])
            raise ConcordError(
                f"The class '{value}' of the layer {name} is not in the campaign's scheme "
                f"({known}); correct the field class."
            )
        shapes.append((shape, code))
    return shapes
