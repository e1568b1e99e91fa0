"""The three planes that a promptable model sees."""

from __future__ import annotations

import numpy as np
import pytest

from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.scene import Scene
from concord.plugin.engine.segment import composite


@pytest.mark.parametrize("names, shown", [((), "red green blue"), (("nir",), "nir nir nir"),
                                          (("nir", "red"), "nir red nir")])  # fmt: skip
def test_composites_have_three_planes(put, names, shown):
    values = np.random.default_rng(1).random((4, 20, 20)).astype(np.float32)
    path = put("a.tif", values, names=["red", "green", "blue", "nir"], units=["reflectance"] * 4)
    with Scene([path]) as scene:
        made = composite.of_scene(scene, names)
        image, valid = made.render(scene)
    assert " ".join(made.bands) == shown and image.shape == (20, 20, 3) and valid.all()
    low, high = np.percentile(values[0 if not names else 3], (2, 98))
    assert made.limits[0] == pytest.approx((low, high))
    assert f"{made.bands[0]} {low:.4g}..{high:.4g}" in made.text


def test_four_bands_make_no_composite(put):
    path = put("a.tif", np.ones((4, 9, 9), np.uint8), names=["red", "green", "blue", "nir"])
    with Scene([path]) as scene, pytest.raises(ConcordError, match="has three bands, 4 were"):
        composite.of_scene(scene, scene.names)
