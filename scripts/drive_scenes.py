"""Driver for in_desktop.py: loads folders of the real data through the Scene panel, pictures each.

CONCORD_SCENES, names separated by commas, keeps a run to some of them.
"""

from __future__ import annotations

import os
from pathlib import Path

import qgis.utils
from drive_screenshots import quiet, wait, wait_until
from qgis.core import QgsProject
from qgis.gui import QgsMapMouseEvent
from qgis.PyQt.QtCore import QEvent, QPoint, Qt
from qgis.utils import iface

S12 = "ssl4eo-s12/{}/0000200"
OPTICAL, RADAR = "20200604T054639_20200604T054831_T43RCP", "S1A_IW_GRDH_1SDV_20200607T010800"
TILE = "S2B_MSIL2A_20200223T032739_N9999_R018_T48QUE_20230924T183543"
# name: (files below the data folder, derived bands, view shown, sensor)
SCENES = {
    "majortom": ((f"majortom-199U/{TILE}",), "ndvi; mndwi", "ndvi", "auto"),
    "ssl4eo-l2a-s1": (
        (f"{S12.format('s2a')}/{OPTICAL}", f"{S12.format('s1')}/{RADAR}_*"),
        "vv_refined_lee; vv_vh; ndvi",
        "SAR (VV, VH, ratio)",
        "auto",
    ),
    "ssl4eo-l1c": ((f"{S12.format('s2c')}/{OPTICAL}",), "", "", "auto"),
    "sen1floods": (("sen1floods-es/S1", "sen1floods-es/S2"), "mndwi", "Near infrared", "auto"),
    "naip": (("naip-nd/m_4709963_se_14_1_20160816.tif",), "ndwi", "", "auto"),
    "rcr": (("rcr-nc/sentinel-2",), "", "", "auto"),
    "enmap": (("enmap-potsdam/images/enmap_potsdam_tile_96_96.tif",), "ndvi; mnf_3", "", "auto"),
    "modis": (("modis-sinop/mod13q1/TERRA_MODIS_012010_NDVI_2014-01-17.jp2",), "", "", "auto"),
    "elevation": (("elevation",), "hillshade; slope; ndsm", "ndsm", "auto"),
    "neon": (("neon-osbs/OSBS_029.tif",), "", "", "auto"),
    "hydro": (("unlabelled/hydro/patch_1.tif",), "ndwi", "", "sentinel-2-l2a"),
    "ccap": (("ccap-nc/labels_image.tif",), "", "", "auto"),
}


def _load(panel, name: str, data: Path) -> None:
    files, derived, view, sensor = SCENES[name]
    paths = [str(path) for pattern in files for path in sorted(data.glob(pattern))]
    panel.files.setFilePath(" ".join(f'"{path}"' for path in paths))
    panel.derived.edit.setText(derived)
    panel.sensor.setCurrentIndex(max(0, panel.sensor.findData(sensor)))
    panel.virtual.setChecked(name in ("majortom", "rcr"))
    panel.load()
    wait_until(lambda: not panel.runner.busy, f"the end of loading {name}")
    wait(0.3)
    place = panel.composite.findText(view)
    if view and place >= 0:
        panel.composite.setCurrentIndex(place)
        panel._show_composite(place)
        wait(1.0)  # the canvas starts to draw a moment later


def _click(panel) -> None:
    """The spectrum of two pixels, by clicks on the canvas."""
    panel.looks.spectrum.setChecked(True)
    canvas = iface.mapCanvas()
    for share in (0.45, 0.55):
        spot = QPoint(int(canvas.width() * share), int(canvas.height() * share))
        event = QgsMapMouseEvent(
            canvas,
            QEvent.Type.MouseButtonPress,
            spot,
            Qt.MouseButton.LeftButton,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        panel.looks.tool.canvasPressEvent(event)


def drive() -> int:
    """Grab the main window once a scene; 1 when one of them ended with a refusal."""
    folder, data = Path(os.environ["CONCORD_SHOTS"]), Path(os.environ["CONCORD_DATA"]).resolve()
    wanted = [name for name in os.environ.get("CONCORD_SCENES", "").split(",") if name]
    plugin = qgis.utils.plugins["concord"]
    plugin.action.trigger()
    plugin.show_panel("scene")
    panel, failed = plugin.panels["scene"], 0
    for name in wanted or SCENES:
        iface.newProject(False)
        wait(0.3)
        _load(panel, name, data)
        if name in ("enmap", "majortom"):
            _click(panel)
        wait_until(lambda: quiet(plugin), f"the map of {name}")
        iface.messageBar().clearWidgets()
        wait(0.4)
        wait_until(lambda: quiet(plugin), f"the map of {name}")
        failed += not QgsProject.instance().mapLayers()
        iface.mainWindow().grab().save(str(folder / f"scene-{name}.png"))
        panel.looks.spectrum.setChecked(False)
    return int(failed > 0)
