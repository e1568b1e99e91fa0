"""A whole campaign in the real desktop, on both stores, with equal results."""

from __future__ import annotations

import importlib.util
import os
import time
from pathlib import Path

import numpy as np
import pytest
from qgis.core import QgsGeometry, QgsProject, QgsRectangle
from qgis.PyQt.QtWidgets import QApplication

PEOPLE = ("ana", "ben", "cy")
CHIP, COLS, ROWS = 32, 4, 3
LEFT, TOP, PIXEL = 500000.0, 5400000.0, 10.0
SHIFT = {"ana": 0, "ben": 2, "cy": 6}
MADE: dict = {}


def server_module():
    path = Path(__file__).parents[1] / "campaign" / "server.py"
    spec = importlib.util.spec_from_file_location("concord_test_server", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def truth() -> np.ndarray:
    """Water (1) west of a line that differs from chip to chip, other ground (2) east of it."""
    codes = np.full((ROWS * CHIP, COLS * CHIP), 2, np.uint8)
    for row in range(ROWS):
        for col in range(COLS):
            edge = 8 + 4 * ((row * COLS + col) % 5)
            codes[row * CHIP : (row + 1) * CHIP, col * CHIP : col * CHIP + edge] = 1
    return codes


@pytest.fixture(autouse=True)
def panels_as_before(plugin):
    """The other tests begin with every panel hidden."""
    yield
    if plugin.action.isChecked():
        plugin.action.trigger()


@pytest.fixture
def scene(tmp_path):
    from concord.plugin.engine import grid, rasters

    place = grid.Grid("EPSG:32632", (PIXEL, 0.0, LEFT, 0.0, -PIXEL, TOP), COLS * CHIP, ROWS * CHIP)
    noise = np.random.default_rng(1).normal(0, 0.01, (3, ROWS * CHIP, COLS * CHIP))
    light = np.where(truth() == 1, 0.05, 0.3)[None] + noise
    rasters.write(tmp_path / "pond_20240110.tif", light.astype(np.float32), place,
                  names=["blue", "green", "red"])  # fmt: skip
    quality = np.full_like(truth(), 4)  # Sentinel-2's scene classes: vegetation, and
    quality[:, : CHIP // 2] = 9  # clouds over half of the first column of chips
    rasters.write(tmp_path / "pond_20240110_SCL.tif", quality, place)
    known = np.zeros_like(truth())
    known[:CHIP, :CHIP] = truth()[:CHIP, :CHIP]
    rasters.write(tmp_path / "gold.tif", known, place)
    return tmp_path


@pytest.fixture(params=["file", "server"])
def store(request, scene):
    """(kind, what STORE gets, from a person to what they open, gives roles their passwords)."""
    if request.param == "file":
        path = str(scene / "campaign.gpkg")
        yield request.param, path, lambda name: path, lambda: None
        return
    running = server_module().Server()
    try:
        for name in (*PEOPLE, "lead"):
            running.connection(name, "postgres" if name == "lead" else name)
        yield (
            request.param,
            "lead/desk",
            lambda name: f"{name}/desk",
            lambda: running.allow(*PEOPLE),
        )
    finally:
        running.stop()


def draw(layer, window, code, first, last):
    """One label from column `first` to `last` of a task."""
    from concord.plugin.bridge import labels

    x, y = LEFT + window.col * PIXEL, TOP - window.row * PIXEL
    box = QgsRectangle(x + first * PIXEL, y - window.height * PIXEL, x + last * PIXEL, y)
    labels.accept(layer, QgsGeometry.fromRect(box), layer.crs(), {"class": code},
                  QgsProject.instance().transformContext())  # fmt: skip


def shot(iface, name):
    """A picture when CONCORD_SHOTS asks for one."""
    folder = os.environ.get("CONCORD_SHOTS")
    if folder:
        iface.mainWindow().grab().save(str(Path(folder) / f"{name}.png"))


def settle(panel):
    """Until the store has answered."""
    end = time.monotonic() + 60
    while panel.campaign.calls.busy:
        assert time.monotonic() < end, "the store does not answer"
        QApplication.processEvents()
        time.sleep(0.002)


def picture_plots(review, iface, kind):
    """A picture of every plot, as the panel shows it."""
    for place in range(review.plots.combo.count()):
        review.plots.combo.setCurrentIndex(place)
        QApplication.processEvents()
        folder = os.environ.get("CONCORD_SHOTS")
        if folder:
            review.plots.grab().save(str(Path(folder) / f"plot-{kind}-{place}.png"))
    area = review.plots.parentWidget()
    while area is not None and not hasattr(area, "ensureWidgetVisible"):
        area = area.parentWidget()
    area.ensureWidgetVisible(review.plots, 0, 0)
    QApplication.processEvents()
    shot(iface, f"campaign-plots-{kind}")


def label(panel, iface, open_as, name, picture):
    """One person goes through all tasks; the panel is used as a person uses it."""
    panel.campaign.open(open_as(name), name)
    settle(panel)
    work = panel.work
    work.next_button.click()
    settle(panel)
    done = 0
    while work.task is not None:
        window = work.task.window
        number = (window.row // CHIP) * COLS + window.col // CHIP
        edge = min(8 + 4 * (number % 5) + SHIFT[name], CHIP)
        draw(work.layer, window, 1, 0, edge)
        draw(work.layer, window, 2, edge, CHIP)
        work.seconds = 60.0
        share = 50 if window.col == 0 else 100
        assert work.dates.text() == f"2024-01-10: {share} % clear"
        if picture and done == 2:
            picture()
        work.submit_button.click()
        settle(panel)
        done += 1
        work.next_button.click()
        settle(panel)
    return done


def test_twelve_tasks_from_plan_to_chips(plugin, iface, qtbot, scene, store, new_project,
                                         python_errors):  # fmt: skip
    from concord.plugin.bridge import settings
    from concord.plugin.engine import rasters

    kind, text, open_as, allow = store
    panel = plugin.panels["campaign"]
    plugin.show_panel("campaign")
    settings.choose_folder(QgsProject.instance(), str(scene / "out"))

    def finish():
        qtbot.waitUntil(lambda: not panel.runner.busy, timeout=60000)
        settle(panel)
        assert "fail" not in panel.status.text().lower(), panel.status.text()

    panel.campaign.create(
        {"IMAGERY": [str(scene / "pond_20240110.tif")], "TAXONOMY": "water2", "CHIP_SIZE": CHIP,
         "ANNOTATORS": ";".join(PEOPLE), "LEAD": "lea", "COPIES": 3, "TITLE": "Ponds",
         "GOLD": str(scene / "gold.tif"), "STORE": text}
    )  # fmt: skip
    finish()
    assert panel.campaign.store is not None, panel.status.text()
    assert "secret" not in panel.campaign.combo.currentText()
    allow()

    def picture():
        qtbot.waitUntil(lambda: not iface.mapCanvas().isDrawing(), timeout=20000)
        qtbot.wait(500)
        shot(iface, f"campaign-work-{kind}")

    for name in PEOPLE:
        assert label(panel, iface, open_as, name, picture if name == "ana" else None) == 12

    panel.campaign.open(text)
    settle(panel)
    review = panel.review
    review.find_button.click()
    finish()
    assert review.queue.rowCount() == 12
    assert review.plots.combo.count() >= 9 and review.plots.isVisible()
    iface.zoomFull()
    picture_plots(review, iface, kind)
    review.show_button.click()
    settle(panel)
    assert len(review.views.views) == 3
    worst = review.task.id
    qtbot.wait(800)
    shot(iface, f"campaign-review-{kind}")
    review.decision.setCurrentIndex(review.decision.findData("ana"))
    review.reason.setText("the others drew past the shore")
    review.decide_button.click()
    settle(panel)
    for task in panel.campaign.store.tasks():
        panel.campaign.store.seal(task.id, "done")
    panel.campaign.refresh()
    settle(panel)
    assert "12 sealed" in panel.campaign.state.text()
    panel.refresh()
    panel.run()
    finish()
    paths = {x.name(): x.source() for x in QgsProject.instance().mapLayers().values()}
    agreed = paths["Consensus"]
    made = rasters.read(agreed)
    task = panel.campaign.store.task(worst)
    assert (made[0][task.window.slices] == truth()[task.window.slices]).all()
    assert (made[0] == truth()).mean() > 0.9
    chips = scene / "chips"
    panel.launch(
        "concord:exportchips",
        {"IMAGERY": [str(scene / "pond_20240110.tif")], "LABELS": agreed, "CONSENSUS": agreed,
         "CHIP_SIZE": CHIP, "STRIDE": CHIP, "SPLIT": "70/15/15", "BLOCK": CHIP * PIXEL, "BUFFER": 0,
         "LICENCE": "CC0-1.0", "OUTPUT": str(chips)},
        lambda outcome: None,
    )  # fmt: skip
    finish()
    assert list(chips.rglob("*.tif")), panel.status.text()
    shot(iface, f"campaign-done-{kind}")
    gold = panel.campaign.store.gold()
    assert len(gold) == 1
    panel.campaign.close()
    panel.campaign.opened.emit()
    earlier = MADE.setdefault("consensus", made)
    assert np.array_equal(made, earlier), "both stores end with the same consensus"
    assert python_errors == []


def test_wizard_in_the_desktop(plugin, iface, qtbot, scene, new_project):
    from concord.plugin.bridge import layers
    from concord.plugin.gui.campaign_wizard import CampaignWizard

    layers.add_raster(scene / "pond_20240110.tif", "scene", "scene", new_project)
    wizard = CampaignWizard(iface, iface.mainWindow())
    wizard.places.imagery.tick(list(new_project.mapLayers().values()))
    wizard.places.scheme.reload("water2")
    wizard.show()
    folder = os.environ.get("CONCORD_SHOTS")
    for name, fill in (
        ("places", lambda: None),
        ("people", lambda: wizard.people.names.setPlainText("ana\nben\ncy")),
        ("known", lambda: None),
        ("quality", lambda: None),
        ("store", lambda: wizard.keep.file.setFilePath(str(scene / "c.gpkg"))),
    ):
        fill()
        qtbot.wait(300)
        assert wizard.currentPage().isComplete(), wizard.currentPage().says()
        if folder:
            wizard.grab().save(str(Path(folder) / f"wizard-{name}.png"))
        if name != "store":
            wizard.next()
    wizard.accept()
    assert wizard.parameters()["STORE"].endswith("c.gpkg")
    wizard.deleteLater()
