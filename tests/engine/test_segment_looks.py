"""A model that doubts its first answer looks from farther, then sharply again."""

from __future__ import annotations

import numpy as np
import pytest

from concord.plugin.engine.scene import Scene
from concord.plugin.engine.segment import predict
from concord.plugin.engine.segment.composite import Composite
from concord.plugin.engine.segment.desk import Desk, Question
from concord.plugin.engine.segment.prompts import Candidate, Encoding, Prompt
from concord.plugin.engine.segment.store import SHARED

PLANES = Composite(("red", "green", "blue"), ((0.0, 255.0),) * 3)
ROOF = (slice(150, 290), slice(140, 300))


class NearSighted:
    """Knows a roof from farther only: from near it finds a speck, unless it is told where."""

    id, tile, takes_masks, doubt, closer = "near-sighted", 256, True, 0.5, 0.1

    def __init__(self):
        self.asked = []

    def encode(self, image, valid):
        return Encoding(image.shape[:2], {"bright": image[..., 0] > 127})

    def predict(self, encoding, prompt):
        bright = encoding.content["bright"]
        self.asked.append((max(bright.shape), prompt.mask is not None))
        if prompt.mask is not None:
            return [Candidate(bright & grown(prompt.mask), 0.95), Candidate(~bright, 0.9)]
        if bright.sum() < 0.2 * bright.size:
            return [Candidate(bright, 0.8)]
        (x, y) = prompt.points[0]
        speck = np.zeros_like(bright)
        speck[int(y) - 20 : int(y) + 20, int(x) - 20 : int(x) + 20] = True
        return [Candidate(speck, 0.2)]


def grown(mask):
    from scipy import ndimage

    return ndimage.binary_dilation(mask, iterations=3)


@pytest.fixture
def path(put, monkeypatch):
    monkeypatch.setattr(SHARED, "disk", None)
    SHARED.clear()
    values = np.full((3, 700, 700), 20, np.uint8)
    values[(slice(None), *ROOF)] = 220
    yield put("roof.tif", values, names=["red", "green", "blue"])
    SHARED.clear()


def answer(path, provider, **given):
    with Scene([path]) as scene:
        return predict.answer(scene, PLANES, provider, 1, Prompt(((220.5, 220.5),), (1,)), **given)


def test_of_a_large_roof_seen_from_near_only_a_speck_was_found(path):
    """A roof of 240 pixels got the 40 pixels round the click, with an expected IoU of 0.2."""
    found = answer(path, NearSighted())
    truth = np.zeros((700, 700), bool)
    truth[ROOF] = True
    window = found[0].place.window
    assert found[0].place.factor == 1, "the outline is as sharp as the view"
    assert np.array_equal(found[0].mask, truth[window.slices])
    assert found[0].score == 0.8, "told where to look, a model is sure of itself"
    assert [entry.candidate for entry in found] == list(range(len(found)))


@pytest.mark.parametrize("given", [{"widen": False}, {"doubt": 0.0}])
def test_a_preview_or_a_model_without_doubt_looks_once(path, given):
    provider = NearSighted()
    provider.closer, provider.doubt = 0.0, given.pop("doubt", 0.5)
    found = answer(path, provider, **given)
    assert found[0].score == 0.2 and provider.asked == [(256, False)]


def test_what_is_surer_from_near_is_kept(path):
    class Bold(NearSighted):
        doubt = 0.9

        def predict(self, encoding, prompt):
            known = super().predict(encoding, prompt)
            return [Candidate(known[0].mask, 1.0 - 0.5 * (known[0].score > 0.5))]

    found = answer(path, Bold())
    assert found[0].score == 1.0 and found[0].mask.sum() == 1600


def test_a_sharper_mask_that_is_something_else_is_refused(path):
    class Fickle(NearSighted):
        def predict(self, encoding, prompt):
            known = super().predict(encoding, prompt)
            return known if prompt.mask is None else [Candidate(~encoding.content["bright"], 0.99)]

    found = answer(path, Fickle())
    assert found[0].place.factor == 2 and found[0].score == 0.8


def test_an_object_larger_than_the_tile_is_as_sharp_as_a_tile_that_holds_it(put, path):
    values = np.full((3, 1200, 1200), 20, np.uint8)
    values[:, 100:420, 100:420] = 220
    wide = put("wide.tif", values, names=["red", "green", "blue"])
    found = answer(wide, NearSighted())
    assert found[0].place.factor == 2 and found[0].mask.sum() == 160 * 160


def test_idle_time_prepares_the_larger_tiles_last(path, monkeypatch):
    provider = NearSighted()
    monkeypatch.setattr(predict, "provider_of", lambda model, threads: provider)
    desk = Desk(path, ("red", "green", "blue"), "near-sighted")
    found = desk.missing(desk.grid.bounds, 10.0, 100)
    factors = [place.factor for place in found]
    assert factors == sorted(factors) and set(factors) == {1, 2, 4}
    for place in found:
        desk.encode(place)
    assert not desk.missing(desk.grid.bounds, 10.0, 100)
    monkeypatch.setattr(provider, "encode", None)
    found = desk.ask(Question(((*desk.grid.xy(220.5, 220.5), 1),)))
    assert found[0].score == 0.8, "a doubted click reads what was prepared"
    desk.close()


def test_a_preview_shows_what_the_click_gives_once_the_tiles_are_there(path):
    """A hover showed a speck of the roof that a click then outlined as a whole."""
    provider = NearSighted()
    assert answer(path, provider, widen=False)[0].score == 0.2
    click = answer(path, provider)[0]
    hover = answer(path, provider, widen=False)[0]
    assert hover.place == click.place and np.array_equal(hover.mask, click.mask)
