"""Objects like an example over several tiles: whole, in the view, beside what is there already."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from concord.plugin.engine import rasters
from concord.plugin.engine.errors import Cancelled
from concord.plugin.engine.grid import Grid, Window
from concord.plugin.engine.progress import Progress
from concord.plugin.engine.scene import Scene
from concord.plugin.engine.segment import composite, places, predict, similar
from concord.plugin.engine.segment.prompts import Prompt

ROWS, COLS, RADIUS = 512, 1000, 40
MIDDLES = ((256, 130), (140, 512), (256, 760), (400, 300))  # rows, columns; 512 and 760 on borders
GRID = Grid("EPSG:32632", (1.0, 0.0, 5e5, 0.0, -1.0, 5e6), COLS, ROWS)


def disk(middle) -> np.ndarray:
    rows, cols = np.mgrid[:ROWS, :COLS]
    return (rows - middle[0]) ** 2 + (cols - middle[1]) ** 2 <= RADIUS**2


@pytest.fixture(scope="module")
def ponds(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("similar") / "ponds.tif")
    image = np.full((ROWS, COLS, 3), (110.0, 130.0, 90.0))
    for middle in MIDDLES:
        image[disk(middle)] = (40, 60, 90)
    image += np.random.default_rng(2).normal(0, 5, image.shape)
    values = image.clip(0, 255).astype(np.uint8).transpose(2, 0, 1)
    rasters.write(path, values, GRID, names=["red", "green", "blue"])
    return path


def search(path, model="regions", factor=1, **options) -> list:
    """[mask on the scene's grid] of what is like the first pond."""
    provider = predict.provider_of(model)
    with Scene([path]) as scene:
        planes = composite.of_scene(scene)
        row, col = MIDDLES[0]
        prompt = Prompt(((col + 0.5, row + 0.5),), (1,))
        answers = predict.answer(scene, planes, provider, 1, prompt)
        example = max(answers, key=lambda a: overlap(whole(a), disk(MIDDLES[0])))
        tiles = places.covering(scene.grid.window, COLS, ROWS, provider.tile, factor)
        found = similar.find(scene, planes, provider, [example], tiles, **options)
    return [whole(answer) for answer in found]


def whole(answer) -> np.ndarray:
    window, factor = answer.place.window, answer.place.factor
    mask = np.repeat(np.repeat(answer.mask, factor, 0), factor, 1)
    full = np.zeros((ROWS, COLS), bool)
    full[window.slices] = mask[: window.height, : window.width]
    return full


def overlap(one, other) -> float:
    return (one & other).sum() / (one | other).sum()


def test_a_pond_on_the_border_of_a_tile_was_cut_in_two(ponds, monkeypatch):
    """Where its half looked better to the model, half a pond was what stayed."""
    provider = predict.provider_of("concord-prompt")
    predicted = provider.predict

    def surer_of_what_is_small(encoding, prompt):
        found = predicted(encoding, prompt)
        return [replace(one, score=1 / (1 + one.mask.sum() / 1e4)) for one in found]

    monkeypatch.setattr(provider, "predict", surer_of_what_is_small)
    found = search(ponds, "concord-prompt")
    ponds_found = [mask for mask in found if any((mask & disk(m)).sum() > 500 for m in MIDDLES)]
    assert len(ponds_found) == 3
    for middle in MIDDLES[1:]:
        assert max(overlap(mask, disk(middle)) for mask in ponds_found) > 0.85


def test_an_example_that_was_seen_from_nearer_was_proposed_again(ponds):
    found = search(ponds, factor=2)
    assert len(found) > 1
    assert all((mask & disk(MIDDLES[0])).sum() < 500 for mask in found)


def label(row, col, height, width) -> dict:
    left, top = 5e5 + col, 5e6 - row
    right, bottom = left + width, top - height
    ring = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
    return {"type": "Polygon", "coordinates": [ring]}


def test_what_is_labelled_already_was_proposed_again(ponds):
    row, col = MIDDLES[2]
    there = label(row - RADIUS, col - RADIUS, 2 * RADIUS, 2 * RADIUS)
    found = search(ponds, known=[there])
    assert found and all((mask & disk(MIDDLES[2])).sum() < 500 for mask in found)


def test_a_proposal_reached_onto_a_label(ponds):
    row, col = MIDDLES[2]
    there = label(row - RADIUS, col - RADIUS, RADIUS // 2, 2 * RADIUS)  # over a fifth of a pond
    found = search(ponds, known=[there])
    (pond,) = [mask for mask in found if (mask & disk(MIDDLES[2])).sum() > 500]
    assert not pond[: row - RADIUS // 2].any() and (pond & disk(MIDDLES[2])).sum() > 3000


def test_only_what_lies_in_the_view_is_proposed(ponds):
    found = search(ponds, window=Window(400, 0, 250, ROWS))
    (only,) = [mask for mask in found if any((mask & disk(m)).sum() > 500 for m in MIDDLES)]
    assert overlap(only, disk(MIDDLES[1])) > 0.85


def test_a_search_could_not_be_stopped(ponds, monkeypatch):
    """18 seconds long, whatever was pressed."""
    provider, stop = predict.provider_of("concord-prompt"), threading.Event()
    waits = threading.Event()

    def slowly(image, valid):
        stop.set()
        waits.wait(20)
        raise AssertionError("nobody waits for this")

    with Scene([ponds]) as scene:
        planes = composite.of_scene(scene, ["blue", "green", "red"])  # nothing is encoded yet
        row, col = MIDDLES[0]
        example = predict.answer(scene, planes, provider, 1, Prompt(((col, row),), (1,)))[0]
        monkeypatch.setattr(provider, "encode", slowly)
        tiles = places.covering(scene.grid.window, COLS, ROWS, provider.tile, 1)
        started = time.monotonic()
        with pytest.raises(Cancelled):
            similar.find(scene, planes, provider, [example], tiles,
                         progress=Progress(None, stop.is_set))  # fmt: skip
        assert time.monotonic() - started < 5
        waits.set()


@pytest.mark.parametrize("tile", [8, 16])
def test_every_other_tile_was_left_out_where_the_view_began_at_a_half(tile):
    for start in range(tile // 2):
        tiles = set(places.covering(Window(start, 0, 50, 8), 100, 100, tile, 1))
        wanted = {places.at(x + 0.5, 4, 100, 100, tile, 1) for x in range(start, start + 50)}
        assert wanted <= tiles, start
