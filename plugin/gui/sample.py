"""What the sample scene's folder holds, and how it is put on the map."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from qgis.core import QgsProject, QgsRasterLayer

from ..bridge import layers
from ..bridge.text import tr


def sensor_files(folder: Path) -> list[str]:
    """The files that become bands of the scene."""
    return [str(path) for path in sorted((folder / "imagery").glob("*.tif"))]


def add_maps(folder: Path, scene: QgsRasterLayer, project: QgsProject) -> Iterator[None]:
    """Add the noisy map, the truth, the annotators and prompts; only the scene is switched on.

    One layer a step, because opening each takes QGIS some milliseconds.
    """
    maps = folder / "labels"
    found = [(maps / "truth.tif", tr("Truth (synthetic)"), "")]
    found.append((maps / "landcover_noisy.tif", tr("Noisy land cover (synthetic)"), ""))
    group = tr("Annotators (synthetic)")
    for path in sorted(maps.glob("annotator_*.tif")):
        found.append((path, path.stem.replace("_", " ").capitalize(), group))
    for path, name, parent in found:
        if path.exists():
            layers.add_raster(path, name, "classes", project, group=parent, visible=False)
            yield
    if (maps / "prompts.geojson").exists():
        name = tr("Prompts (synthetic)")
        prompts = layers.add_vector(maps / "prompts.geojson", name, project, visible=False)
        layers.style_prompts(prompts)
    node = project.layerTreeRoot().findLayer(scene.id())
    if node is not None:
        node.setItemVisibilityChecked(True)
