"""What looks like the object elsewhere is no part of it, unless somebody points at it too."""

from __future__ import annotations

import numpy as np
import pytest

from concord.plugin.engine.scene import Scene
from concord.plugin.engine.segment import predict
from concord.plugin.engine.segment.composite import Composite
from concord.plugin.engine.segment.parts import pointed_at
from concord.plugin.engine.segment.prompts import Candidate, Encoding, Prompt
from concord.plugin.engine.segment.store import SHARED

PLANES = Composite(("red", "green", "blue"), ((0.0, 255.0),) * 3)
ONE, OTHER = (slice(10, 30), slice(10, 30)), (slice(60, 80), slice(60, 90))
IN_ONE, IN_OTHER, BESIDE = (20.5, 20.5), (70.5, 65.5), (45.5, 5.5)


def mask_of(*places):
    mask = np.zeros((100, 110), bool)
    for place in places:
        mask[place] = True
    return mask


@pytest.mark.parametrize(
    "prompt, wanted",
    [
        (Prompt((IN_ONE,), (1,)), (ONE,)),
        (Prompt((IN_ONE, IN_OTHER), (1, 1)), (ONE, OTHER)),
        (Prompt((IN_ONE, IN_OTHER), (1, 0)), (ONE,)),
        (Prompt((BESIDE,), (1,)), ()),
        (Prompt((BESIDE, (50.5, 50.5)), (1, 0)), (ONE, OTHER)),
        (Prompt(((31.5, 20.5),), (1,)), (ONE,)),
        (Prompt((BESIDE, IN_ONE), (1, 1)), (ONE,)),
        (Prompt((), (), (5.0, 5.0, 95.0, 85.0)), (ONE, OTHER)),
        (Prompt((), (), (31.0, 31.0, 59.0, 59.0)), ()),
        (Prompt((IN_ONE,), (1,), (5.0, 5.0, 95.0, 85.0)), (ONE, OTHER)),
    ],
)
def test_parts_that_were_pointed_at(prompt, wanted):
    assert np.array_equal(pointed_at(mask_of(ONE, OTHER), prompt), mask_of(*wanted))


class Lookalikes:
    """Marks everything bright, wherever the click is."""

    id, tile, takes_masks = "lookalikes", 256, True

    def encode(self, image, valid):
        return Encoding(image.shape[:2], {"bright": image[..., 0] > 127})

    def predict(self, encoding, prompt):
        return [Candidate(encoding.content["bright"], 0.9)]


def test_a_click_on_a_pond_also_marked_two_ponds_far_away(put, monkeypatch):
    monkeypatch.setattr(SHARED, "disk", None)
    SHARED.clear()
    values = np.full((3, 100, 110), 20, np.uint8)
    values[:, mask_of(ONE, OTHER)] = 220
    outline = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}
    with Scene([put("ponds.tif", values, names=["red", "green", "blue"])]) as scene:
        prompt = Prompt((IN_ONE,), (1,))
        (found,) = predict.answer(scene, PLANES, Lookalikes(), 1, prompt)
        (refined,) = predict.answer(scene, PLANES, Lookalikes(), 1, prompt, shape=outline)
    SHARED.clear()
    assert np.array_equal(found.mask, mask_of(ONE))
    assert np.array_equal(refined.mask, mask_of(ONE, OTHER)), "an old outline keeps its parts"


def test_an_outline_far_from_the_click_passed_for_an_answer(put, monkeypatch):
    monkeypatch.setattr(SHARED, "disk", None)
    SHARED.clear()
    values = np.full((3, 100, 110), 20, np.uint8)
    values[:, mask_of(ONE, OTHER)] = 220
    with Scene([put("ponds.tif", values, names=["red", "green", "blue"])]) as scene:
        found = predict.answer(scene, PLANES, Lookalikes(), 1, Prompt((BESIDE,), (1,)))
    SHARED.clear()
    assert found == []
