"""Prompts to masks: the provider without weights, places, encodings kept and made anew."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from concord.plugin.engine import rasters
from concord.plugin.engine.errors import ConcordError, NoData
from concord.plugin.engine.grid import Window
from concord.plugin.engine.scene import Scene
from concord.plugin.engine.segment import composite, predict
from concord.plugin.engine.segment.composite import Composite
from concord.plugin.engine.segment.prompts import Candidate, Encoding, Prompt
from concord.plugin.engine.segment.regions import RegionPrompter
from concord.plugin.engine.segment.store import SHARED, EncodingStore


def disks(*circles, shape=(120, 140), seed=1):
    """(noisy picture, mask of each disk): grey ground, red disks given as (row, col, radius)."""
    rng = np.random.default_rng(seed)
    picture = np.full((*shape, 3), (110, 120, 115), float)
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    masks = [(rows - r) ** 2 + (cols - c) ** 2 <= radius**2 for r, c, radius in circles]
    for mask in masks:
        picture[mask] = (190, 60, 50)
    picture += rng.normal(0, 8, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8), masks


def best(picture, prompt, valid=None):
    provider = RegionPrompter()
    valid = np.ones(picture.shape[:2], bool) if valid is None else valid
    found = provider.predict(provider.encode(picture, valid), prompt)
    return found[0].mask if found else np.zeros(picture.shape[:2], bool)


def iou(one, other) -> float:
    return (one & other).sum() / (one | other).sum()


@pytest.mark.parametrize("row, col, radius", [(60, 70, 25), (60, 70, 10), (20, 118, 18)])
def test_a_click_finds_the_disk(row, col, radius):
    picture, (disk,) = disks((row, col, radius))
    assert iou(best(picture, Prompt(((col + 0.5, row + 0.5),), (1,))), disk) > 0.8


def test_a_click_on_the_ground_leaves_the_disk_out():
    picture, (disk,) = disks((60, 70, 25))
    found = best(picture, Prompt(((8.5, 8.5),), (1,)))
    assert iou(found, ~disk) > 0.8


def test_two_clicks_take_two_disks_and_a_negative_one_gives_one_back():
    picture, (left, right) = disks((60, 40, 20), (60, 100, 20))
    both = Prompt(((40.5, 60.5), (100.5, 60.5)), (1, 1))
    found = best(picture, both)
    assert found[60, 40] and found[60, 100]
    found = best(picture, Prompt(both.points, (1, 0)))
    assert iou(found, left) > 0.8 and not (found & right).any()


def test_a_box_finds_the_disk_inside_it():
    picture, (left, right) = disks((60, 40, 20), (60, 100, 20))
    found = best(picture, Prompt(box=(15, 35, 65, 85)))
    assert iou(found, left) > 0.8 and not (found & right).any()


def test_no_data_is_never_part_of_an_object():
    picture, (disk,) = disks((60, 70, 25))
    valid = np.ones(disk.shape, bool)
    valid[:, 75:] = False
    found = best(picture, Prompt(((60.5, 60.5),), (1,)), valid)
    assert found[60, 60] and not found[~valid].any()


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (1, 40), (17, 16)])
@pytest.mark.parametrize("prompt", [Prompt(((0.5, 0.5),), (1,)), Prompt(box=(0, 0, 1, 1))])
def test_tiny_images_do_not_break(shape, prompt):
    picture = np.random.default_rng(1).integers(0, 255, (*shape, 3)).astype(np.uint8)
    assert best(picture, prompt).shape == shape


def test_the_provider_answers_the_same_every_time():
    picture, _ = disks((60, 70, 25), (20, 20, 9))
    prompt = Prompt(((70.5, 60.5), (20.5, 20.5)), (1, 0))
    provider, valid = RegionPrompter(), np.ones(picture.shape[:2], bool)
    first = provider.predict(provider.encode(picture, valid), prompt)
    np.random.seed(9)
    again = RegionPrompter().predict(RegionPrompter().encode(picture, valid), prompt)
    assert [c.score for c in first] == [c.score for c in again] and len(first) > 0
    for one, other in zip(first, again):
        np.testing.assert_array_equal(one.mask, other.mask)
    assert [c.score for c in first] == sorted((c.score for c in first), reverse=True)
    assert all(0 <= c.score <= 1 for c in first)


@pytest.mark.parametrize(
    "points, labels, box, words",
    [
        (((1, 1),), (), None, "needs a label"),
        (((1, 1),), (0,), None, "needs a point with label 1 or a box"),
        ((), (), None, "needs a point with label 1 or a box"),
    ],
)
def test_incomplete_prompts_are_refused(points, labels, box, words):
    with pytest.raises(ConcordError, match=words):
        Prompt(points, labels, box)


def test_prompts_come_from_map_coordinates(make_grid):
    grid = make_grid(100, 80)
    x, y = grid.xy(10.5, 20.5)
    found = predict.prompts_of(
        [(7, x, y, 1), (7, x + 10, y, 0)], [(3, (x, y - 50, x + 30, y))], grid
    )
    assert list(found) == [3, 7]
    assert found[7] == Prompt(((10.5, 20.5), (11.5, 20.5)), (1, 0))
    assert found[3].box == pytest.approx((10.5, 20.5, 13.5, 25.5))


@pytest.mark.parametrize(
    "points, boxes, words",
    [
        ([], [], "There is no prompt"),
        ([(1, 500_005, 4_999_995, 2)], [], "object 1 has the label 2"),
        ([(1, 500_005, 4_999_995, None)], [], "object 1 has the label None"),
        ([(4, 500_005, 4_999_995, 0)], [], "object 4 has no point with label 1"),
        ([(1, 0, 0, 1)], [], "object 1 lies outside the image"),
        ([], [(2, (0, 0, 10, 10))], "object 2 lies outside the image"),
    ],
)
def test_impossible_prompts_are_sentences(make_grid, points, boxes, words):
    with pytest.raises(ConcordError, match=words):
        predict.prompts_of(points, boxes, make_grid(10, 10))


@given(st.integers(1, 9000), st.integers(1, 9000), st.data())
@settings(max_examples=80, deadline=None)
def test_a_place_holds_its_prompt_inside_the_image(width, height, data):
    left, right = sorted(data.draw(st.floats(0, width - 0.01)) for _ in range(2))
    top, bottom = sorted(data.draw(st.floats(0, height - 0.01)) for _ in range(2))
    place = predict.place_of(Prompt(box=(left, top, right, bottom)), width, height)
    window = place.window
    assert window.col >= 0 and window.col + window.width <= width and not window.is_empty
    assert window.row >= 0 and window.row + window.height <= height
    assert window.col <= left and right <= window.col + window.width
    assert window.row <= top and bottom <= window.row + window.height
    assert max(place.shape) <= predict.TILE
    step = place.factor * predict.TILE // 2
    assert window.col % step == 0 and window.row % step == 0


def test_a_place_depends_on_the_prompt_alone():
    prompt = Prompt(((700.5, 900.5), (640.2, 999.0)), (1, 0))
    first = predict.place_of(prompt, 4000, 4000)
    predict.place_of(Prompt(((10.5, 10.5),), (1,)), 4000, 4000)
    assert predict.place_of(prompt, 4000, 4000) == first
    assert predict.place_of(prompt, 9000, 5000) == first, "far edges must not matter"
    near = predict.place_of(Prompt(((690.5, 905.5),), (1,)), 4000, 4000)
    assert near == first, "a click nearby reuses the encoding"


@pytest.mark.parametrize("spot", [(-1, 5), (5, -1), (100.0, 5), (5, 80.0)])
def test_a_prompt_outside_the_image_is_a_sentence(spot):
    with pytest.raises(ConcordError, match="outside the image; click on the image"):
        predict.place_of(Prompt((spot,), (1,)), 100, 80)


class Counting:
    """A provider that counts; its answer is the part brighter than the middle."""

    id = "counting"
    takes_masks = False

    def __init__(self):
        self.encoded = 0

    def encode(self, image, valid):
        self.encoded += 1
        return Encoding(image.shape[:2], {"bright": image[..., 0] > 127})

    def predict(self, encoding, prompt):
        return [Candidate(encoding.content["bright"], 0.5)]


@pytest.fixture
def store(monkeypatch):
    """The shared store, empty and in memory alone: other tests may have given it a folder."""
    monkeypatch.setattr(SHARED, "disk", None)
    SHARED.clear()
    yield SHARED
    SHARED.clear()


def write_square(put, start, size=40, name="a.tif"):
    values = np.full((3, 100, 110), 20, np.uint8)
    values[:, start : start + size, start : start + size] = 220
    return put(name, values, names=["red", "green", "blue"])


def test_an_encoding_is_reused_until_the_raster_is_rewritten(put, store):
    provider, prompt = Counting(), Prompt(((55.5, 55.5),), (1,))
    planes = Composite(("red", "green", "blue"), ((0.0, 255.0),) * 3)
    path = write_square(put, 20)

    def ask(prompt):
        with Scene([path]) as scene:
            return predict.answer(scene, planes, provider, 1, prompt)[0].mask

    first = ask(prompt)
    ask(Prompt(((50.5, 40.5), (1.5, 1.5)), (1, 0)))
    assert provider.encoded == 1 and first[20:60, 20:60].all() and first.sum() == 1600
    write_square(put, 50)
    moved = ask(prompt)
    assert provider.encoded == 2 and moved[50:90, 50:90].all() and moved.sum() == 1600
    other = Composite(("green", "red", "blue"), ((0.0, 200.0),) * 3)
    with Scene([path]) as scene:
        predict.answer(scene, other, provider, 1, prompt)
    assert provider.encoded == 3


def test_the_store_forgets_the_oldest():
    store, made = EncodingStore(2), []

    def get(key):
        return store.get(
            key, lambda: made.append(key) or Encoding((1, 1), {"key": np.array(ord(key))})
        )

    assert [chr(get(k).content["key"]) for k in "abacab"] == list("abacab")
    assert made == ["a", "b", "c", "b"]


def test_a_prompt_on_no_data_is_a_sentence(put, store):
    values = np.full((3, 30, 30), np.nan, np.float32)
    values[:, 0, 0] = 1
    path = put("a.tif", values, names=["red", "green", "blue"], nodata=np.nan)
    nothing = put("b.tif", np.full((3, 30, 30), np.nan, np.float32), names=["r", "g", "b"])
    with Scene([nothing]) as scene, pytest.raises(ConcordError, match="has no data"):
        composite.of_scene(scene)
    planes = Composite(("red", "green", "blue"), ((0.0, 1.0),) * 3)
    with Scene([path]) as scene:
        (found,) = predict.answer(scene, planes, Counting(), 1, Prompt(((1.5, 2.5),), (1,)))
        assert not found.mask[1:].any(), "a mask must not reach into no data"
        with pytest.raises(NoData, match="no data under the prompt of object 3"):
            predict.answer(scene, planes, Counting(), 3, Prompt(((5.5, 5.5),), (1,)))
        with pytest.raises(NoData):
            predict.answer(scene, planes, Counting(), 1, Prompt(box=(5, 5, 20, 20)))


@pytest.mark.parametrize("model", ["regions", "concord-prompt"])
@pytest.mark.parametrize("inside", [1, 5, 40])
def test_a_click_beyond_the_data_outlined_something_far_away(put, store, model, inside):
    """Up to a kilometre away, with scores up to 0.84."""
    picture, _ = disks((120, 60, 25), (120, 150, 20), shape=(200, 220))
    values = picture.transpose(2, 0, 1).astype(np.float32)
    values[:, :80] = np.nan
    path = put("half.tif", values, names=["red", "green", "blue"], nodata=np.nan)
    prompt, provider = Prompt(((60.5, 80.5 - inside),), (1,)), predict.provider_of(model)
    with Scene([path]) as scene:
        planes = composite.of_scene(scene)
        try:
            found = predict.answer(scene, planes, provider, 1, prompt)
        except NoData:
            assert inside > 2
            return
    assert inside < 3, "only what the mouse missed by a pixel is answered"
    for answer in found:
        rows, cols = answer.mask.nonzero()
        assert np.hypot(rows - 79.5, cols - 60.5).min() < 4


def area_of(shapes) -> float:
    total = 0.0
    for shape in shapes:
        for i, ring in enumerate(shape["coordinates"]):
            x, y = np.array(ring, float).T
            size = abs(0.5 * (x[:-1] * y[1:] - x[1:] * y[:-1]).sum())
            total += size if i == 0 else -size
    return total


def test_outlines_lie_where_the_object_is(put, store, make_grid):
    path = write_square(put, 20)
    planes = Composite(("red", "green", "blue"), ((0.0, 255.0),) * 3)
    with Scene([path]) as scene:
        found = predict.answer(scene, planes, Counting(), 5, Prompt(((30.5, 30.5),), (1,)))[0]
        shapes = predict.outline(found, scene.grid)
    assert found.object == 5 and area_of(shapes) == 1600 * 100.0
    burned = rasters.burn([(s, 1) for s in shapes], make_grid(110, 100))
    assert burned[20:60, 20:60].all() and burned.sum() == 1600


@pytest.mark.parametrize("width, height", [(1031, 1025), (1100, 1024), (600, 2049)])
def test_outlines_of_a_decimated_place_end_where_the_image_ends(make_grid, width, height):
    """A last column that the factor does not divide once stretched everything over the edge."""
    grid = make_grid(width, height)
    place = predict.place_of(Prompt(box=(0, 0, width - 1, height - 1)), width, height)
    assert place.factor > 1
    mask = np.ones(place.shape, bool)
    shapes = predict.outline(predict.Answer(1, 0, 1.0, mask, place), grid)
    xs, ys = np.array(shapes[0]["coordinates"][0]).T
    window = place.window
    expected = grid.sub(window).bounds
    assert (xs.min(), ys.min(), xs.max(), ys.max()) == pytest.approx(expected, abs=1e-3)
    assert window == Window(0, 0, width, height)


def test_models_that_cannot_be_prompted_are_refused():
    assert predict.provider_of("regions").id == "regions"
    with pytest.raises(ConcordError, match="The model sam does not exist"):
        predict.provider_of("sam")


@pytest.mark.parametrize("closer, side", [(0.0, 100), (0.2, 55)])
def test_a_small_object_is_looked_at_again_on_a_smaller_tile(put, store, closer, side):
    provider, prompt = Counting(), Prompt(((30.5, 30.5),), (1,))
    provider.closer = closer
    planes = Composite(("red", "green", "blue"), ((0.0, 255.0),) * 3)
    with Scene([write_square(put, 25, 12)]) as scene:
        preview = predict.answer(scene, planes, provider, 1, prompt, widen=False)[0]
        (found,) = predict.answer(scene, planes, provider, 1, prompt)
    window = found.place.window
    assert window.height == side and found.mask.sum() == 144
    assert found.mask[25 - window.row, 25 - window.col]
    assert preview.place.window.height == 100, "a preview does not read more tiles"


def test_a_correction_stays_on_the_tile_of_the_first_answer(put, store):
    provider, planes = Counting(), Composite(("red", "green", "blue"), ((0.0, 255.0),) * 3)
    provider.closer = 0.2
    with Scene([write_square(put, 25, 12)]) as scene:
        first = predict.answer(scene, planes, provider, 1, Prompt(((30.5, 30.5),), (1,)))[0]
        more = Prompt(((30.5, 30.5), (40.5, 33.5)), (1, 0))
        again = predict.answer(scene, planes, provider, 1, more, previous=first)[0]
    assert again.place == first.place
