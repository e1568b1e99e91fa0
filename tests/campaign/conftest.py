"""Campaigns on a synthetic scene, in a GeoPackage and in a live PostGIS."""

from __future__ import annotations

import importlib.util
import itertools
import os
from pathlib import Path

import numpy as np
import pytest

PEOPLE = ("ana", "ben", "cy")
SIDE, CHIP = 128, 32
SCHEME = {
    "id": "three",
    "title": "Three classes",
    "classes": [
        {"code": 1, "name": "water", "color": "#419bdf"},
        {"code": 2, "name": "trees", "color": "#397d49"},
        {"code": 3, "name": "built", "color": "#c4281b"},
    ],
}
_numbers = itertools.count(1)


def _server_module():
    spec = importlib.util.spec_from_file_location(
        "concord_test_server", Path(__file__).with_name("server.py")
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def server():
    """A PostgreSQL with PostGIS for the session."""
    module = _server_module()
    if module.programs() is None:
        message = "PostgreSQL with PostGIS is not installed; run 'make setup'."
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    running = module.Server()
    yield running
    running.stop()


def truth() -> np.ndarray:
    """Three classes in blocks that do not follow the chips."""
    rows, cols = np.mgrid[:SIDE, :SIDE]
    return (1 + (rows // 21 + cols // 27) % 3).astype(np.uint8)


@pytest.fixture
def scene(tmp_path):
    """image, gold and scheme paths of a scene of 4 x 4 chips at 10 m."""
    from concord.plugin.engine import files, grid, rasters

    place = grid.Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 54e5), SIDE, SIDE)
    image = str(tmp_path / "scene.tif")
    rasters.write(image, (truth() * 50).astype(np.uint8), place, names=["red"])
    gold = np.zeros((SIDE, SIDE), np.uint8)
    gold[:CHIP, : 2 * CHIP] = truth()[:CHIP, : 2 * CHIP]
    known = str(tmp_path / "gold.tif")
    rasters.write(known, gold, place, nodata=0)
    scheme = str(tmp_path / "three.json")
    files.write_json(scheme, SCHEME)
    return {"image": image, "gold": known, "scheme": scheme, "grid": place, "folder": tmp_path}


@pytest.fixture
def make_plan(scene):
    """make_plan(**wishes) -> Plan on the scene."""
    from concord.plugin.engine.campaign import setup

    def make(**changes):
        wishes = {"imagery": (scene["image"],), "taxonomy": scene["scheme"], "annotators": PEOPLE,
                  "chip": CHIP, "lead": "lea", "reviewers": ("rex",), "gold": scene["gold"],
                  "gold_share": 0.125, **changes}  # fmt: skip
        return setup.plan(setup.Wishes(**wishes))

    return make


@pytest.fixture(params=["file", "server"])
def campaign(request, scene, make_plan):
    """campaign(**wishes) -> open(person) -> Store, on both kinds of store."""
    from concord.plugin.bridge import campaign_create, campaign_db
    from concord.plugin.bridge.campaign_store import Store

    stores = []

    def begin(**wishes):
        plan = make_plan(**wishes)
        if request.param == "file":
            where = campaign_db.address(str(scene["folder"] / f"c{next(_numbers)}.gpkg"))
            campaign_create.create(where, plan)
        else:
            running = request.getfixturevalue("server")
            schema = f"c{next(_numbers)}"
            where = campaign_db.address(running.uri(schema=schema))
            campaign_create.create(where, plan)
            running.allow(*(p.name for p in plan.people if p.role != "lead"))

        def enter(person: str = "lea"):
            at = where
            if request.param == "server" and person != "lea":
                at = campaign_db.address(running.uri(person, schema))
            stores.append(Store(at, person))
            return stores[-1]

        enter.where, enter.kind = where, request.param
        return enter

    yield begin
    for store in stores:
        store.close()
