"""Models panel: what a run made, as layers and in words."""

from __future__ import annotations

from qgis.core import QgsProject, QgsRasterLayer

from ..bridge import layers
from ..bridge.text import tr

_AGREED = 0.99  # tiles that agree on more than this show no seam


def add(results: dict, report: dict, name: str, project: QgsProject) -> QgsRasterLayer:
    """Add the layers of a run to a project; returns the main one.

    The names of a second run with the same model get a number.
    """
    name = layers.free_name(project, name)
    for key, title in (
        ("PROBABILITIES", tr("{name}, probabilities")),
        ("UNCERTAINTY", tr("{name}, doubt")),
    ):
        if results.get(key):
            titled = title.format(name=name)
            layers.add_raster(results[key], titled, "probability", project, visible=False)
    # Numbers, finer pixels and embeddings are shown as an image, everything else as classes.
    kind = "classes" if report.get("classes") else "scene"
    # Half-clear polygons show the roofs under them, unless a map of the roofs lies between.
    things = bool((report.get("polygons") or {}).get("drawn"))
    made = layers.add_raster(results["OUTPUT"], name, kind, project, visible=not things)
    parcels = layers.show_parcels(made, report, project)
    if results.get("POLYGONS"):
        title = tr("{name}, polygons").format(name=name)
        polygons = layers.add_vector(results["POLYGONS"], title, project)
        if kind == "classes":
            only = None if parcels is None else (parcels.interior,)
            layers.style_labels(polygons, like=made, only=only)
    return made


def lines(report: dict):
    """What a run found, one thing a line."""
    for entry in layers.shares(report):
        if "share" in entry:
            yield tr("{name}: {share:.1f} %").format(name=entry["name"], share=100 * entry["share"])
        elif "objects" in entry:
            yield tr("{name}: {n} found").format(name=entry["name"], n=entry["objects"])
    yield from _polygons(report)
    values = report.get("values")
    if values:
        yield tr("{low:.4g} to {high:.4g}, mean {mean:.4g}").format(
            low=values["minimum"], high=values["maximum"], mean=values["mean"]
        )
    level = report.get("level") or {}
    if level.get("name"):
        yield tr("Taken for {level}, {why}").format(level=level["name"], why=level["why"])
    elif level:
        yield tr("Processing level: {why}").format(why=level["why"])
    agreement = report.get("overlap_agreement")
    if agreement is not None and agreement < _AGREED:
        yield tr("Seams may show: tiles differ on {share:.1f} % of where they overlap").format(
            share=100 * (1 - agreement)
        )


def _polygons(report: dict):
    drawn = report.get("polygons")
    if not drawn:
        return
    if not drawn["left_out"]:
        yield tr("{n} polygons").format(n=drawn["drawn"])
        return
    text = tr("{n} polygons; {left} specks under {least} m² left out")
    least = report["parcels"]["least_m2"]
    least = f"{least:,.0f}" if least >= 10 else f"{least:.2g}"
    yield text.format(n=drawn["drawn"], left=drawn["left_out"], least=least)
