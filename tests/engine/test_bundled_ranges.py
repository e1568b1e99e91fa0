"""The value ranges of bundled cards are in the unit of the image, as the preflight reads them."""

from __future__ import annotations

import numpy as np
import pytest

from concord.plugin.engine import rasters
from concord.plugin.engine.grid import Grid
from concord.plugin.engine.infer import preflight, verdicts
from concord.plugin.engine.infer.session import Model
from concord.plugin.engine.scene import Scene

PICTURES = [("concord-landcover-aerial", 1.0, ["red", "green", "blue", "nir"]),
            ("concord-buildings", 0.15, ["red", "green", "blue"])]  # fmt: skip


@pytest.mark.parametrize(("model", "metres", "bands"), PICTURES)
def test_an_8_bit_picture_is_not_called_unlike_the_training_data(tmp_path, model, metres, bands):
    values = np.random.default_rng(1).integers(1, 255, (len(bands), 64, 64)).astype(np.uint8)
    path = str(tmp_path / "picture.tif")
    place = Grid("EPSG:26917", (metres, 0, 7e5, 0, -metres, 4.1e6), 64, 64)
    rasters.write(path, values, place, names=bands, units=["DN"] * len(bands))
    opened = Model(model)
    with Scene([path]) as scene:
        said = {v.what: v for v in preflight.check(opened.card, scene, opened)}
    assert said["Values"].level == verdicts.GREEN, said["Values"].detail
