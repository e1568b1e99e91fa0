"""What a run leaves behind: a styled project, a picture of its map, and a report page."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsProject,
    QgsReferencedRectangle,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor

from concord.plugin.bridge import layers, vector_styles
from concord.plugin.engine import files, report


@dataclass(frozen=True)
class Shown:
    """A layer of the project: ``kind`` is a raster kind of bridge.layers, or a vector style."""

    path: str
    name: str
    kind: str
    visible: bool = True
    group: str = ""
    taxonomy: object = None


@dataclass
class Loop:
    """Everything the outcome is made of."""

    title: str
    lead: str
    layers: list = field(default_factory=list)
    sections: list = field(default_factory=list)
    figures: dict = field(default_factory=dict)


_VECTOR_STYLES = {
    "proposals": vector_styles.style_vector_proposals,
    "chips": vector_styles.style_chips,
    "prompts": vector_styles.style_prompts,
    "outlines": lambda layer: vector_styles.style_vector_proposals(layer, "score"),
}


def write(loop: Loop, steps, out: Path) -> None:
    """Write concord.qgz, canvas.png, report.html and report.json."""
    project = _project(loop, out)
    canvas = _picture(project, out / "canvas.png")
    rows = tuple((s.what, s.algorithm, round(s.seconds, 2), s.figure) for s in steps.done)
    head = ("step", "algorithm", "seconds", "figure")
    sections = [
        report.Section("Steps", header=head, rows=rows),
        report.Section("The map", pictures=(("canvas.png", canvas),)),
        *loop.sections,
    ]
    values = {
        "title": loop.title,
        "steps": [s.__dict__ for s in steps.done],
        "figures": loop.figures,
    }
    report.write(str(out / "report.html"), values, loop.title, loop.lead, sections)


def _project(loop: Loop, out: Path) -> QgsProject:
    project = QgsProject.instance()
    project.clear()
    project.setTitle(loop.title)
    first = None
    for shown in loop.layers:
        if shown.kind in _VECTOR_STYLES:
            layer = layers.add_vector(shown.path, shown.name, project, shown.group, shown.visible)
            _VECTOR_STYLES[shown.kind](layer)
        else:
            layer = layers.add_raster(
                shown.path, shown.name, shown.kind, project, shown.taxonomy, shown.group,
                shown.visible,
            )  # fmt: skip
            first = first or layer
    project.setCrs(QgsCoordinateReferenceSystem(first.crs()))
    view = QgsReferencedRectangle(first.extent(), first.crs())
    project.viewSettings().setDefaultViewExtent(view)
    project.setBackgroundColor(QColor("white"))
    project.writeEntryBool("Paths", "/Absolute", False)  # so that out/ can be moved
    project.write(str(out / "concord.qgz"))
    return project


def _picture(project: QgsProject, path: Path) -> bytes:
    """Render the visible layers over the scene, as the canvas shows them."""
    settings = QgsMapSettings()
    settings.setLayers(project.layerTreeRoot().checkedLayers())
    settings.setDestinationCrs(project.crs())
    settings.setExtent(project.viewSettings().defaultViewExtent())
    settings.setOutputSize(QSize(1000, 1000))
    settings.setBackgroundColor(QColor("white"))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    with files.atomic_file(path) as temporary:
        job.renderedImage().save(str(temporary), "PNG")
    return path.read_bytes()
