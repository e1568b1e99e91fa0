"""The merge tree, answers built from its nodes, places, store and similar objects."""

from __future__ import annotations

import gc
import os

import numpy as np
import pytest

from concord.plugin.engine import rasters
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid, Window
from concord.plugin.engine.scene import Scene
from concord.plugin.engine.segment import composite, everything, places, predict, similar, tree
from concord.plugin.engine.segment.prompts import Encoding, Prompt
from concord.plugin.engine.segment.regions import RegionPrompter
from concord.plugin.engine.segment.store import DiskStore, EncodingStore

SPOTS = ((20, 20), (20, 100), (90, 30), (90, 110))  # rows and columns of four equal squares


def picture(rows=160, cols=180, seed=0):
    """Four bright squares of 30 pixels on dark ground, with noise."""
    image = np.full((rows, cols, 3), 60.0)
    for row, col in SPOTS:
        image[row : row + 30, col : col + 30] = (200, 180, 120)
    image += np.random.default_rng(seed).normal(0, 6, image.shape)
    return image.clip(0, 255).astype(np.uint8)


def truth(row, col, shape=(160, 180)):
    mask = np.zeros(shape, bool)
    mask[row : row + 30, col : col + 30] = True
    return mask


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


@pytest.fixture(scope="module")
def encoding():
    image = picture()
    return RegionPrompter().encode(image, np.ones(image.shape[:2], bool))


@pytest.fixture
def raster(tmp_path):
    path = str(tmp_path / "scene.tif")
    place = Grid("EPSG:32632", (1.0, 0.0, 5e5, 0.0, -1.0, 5e6), 180, 160)
    rasters.write(path, picture().transpose(2, 0, 1), place, names=["red", "green", "blue"])
    return path


# --- the tree ------------------------------------------------------------------------------------


def test_every_node_is_its_childrens_union():
    segments = np.kron(np.arange(6).reshape(2, 3), np.ones((4, 5), int))
    lab = np.random.default_rng(1).normal(50, 9, (*segments.shape, 3))
    built = tree.build(segments, lab, np.ones(segments.shape), np.ones(6, bool))
    assert len(built.parent) == 11 and (built.parent < 0).sum() == 1
    for node in range(11):
        inside = np.isin(segments, built.leaves[built.first[node] : built.last[node]])
        assert built.area[node] == inside.sum()
        assert np.allclose(built.mean[node], lab[inside].mean(axis=0))
        spread = np.sqrt(((lab[inside] - lab[inside].mean(axis=0)) ** 2).sum(axis=1).mean())
        assert built.spread[node] == pytest.approx(spread)
        rows, cols = np.nonzero(inside)
        assert tuple(built.box[node]) == (cols.min(), rows.min(), cols.max() + 1, rows.max() + 1)
        edge = (inside[:, 1:] != inside[:, :-1]).sum() + (inside[1:] != inside[:-1]).sum()
        assert built.border[node] == edge
    assert built.holds(10, 3) and built.above(0)[-1] == 10
    assert all(built.cost[built.parent[n]] >= built.cost[n] for n in range(10))


def test_segments_without_data_stay_alone():
    segments = np.kron(np.arange(4).reshape(1, 4), np.ones((5, 5), int))
    usable = np.array([True, True, False, True])
    built = tree.build(segments, np.zeros((5, 20, 3)), np.zeros((5, 20)), usable)
    assert built.parent[2] == -1 and built.border[2] == 0 and built.above(2) == [2]


def test_growing_a_tree_leaves_nothing_for_pythons_collector(monkeypatch):
    """It made thousands of tuples and dicts; collecting them among QGIS's objects took 80 ms."""
    segments = np.kron(np.arange(900).reshape(30, 30), np.ones((4, 4), int))
    lab = np.random.default_rng(5).normal(50, 9, (*segments.shape, 3))
    kept, count = [], tree.heapq.heapify

    def counted(heap):
        count(heap)
        gc.collect(1)  # what outlives it counts towards a pass over everything
        kept.append(len(gc.get_objects()))

    monkeypatch.setattr(tree.heapq, "heapify", counted)
    gc.collect()
    before = len(gc.get_objects())
    tree.build(segments, lab, np.ones(segments.shape), np.ones(900, bool))
    assert kept[0] - before < 300


def test_one_segment_is_a_tree():
    built = tree.build(np.zeros((4, 4), int), np.zeros((4, 4, 3)), np.zeros((4, 4)), [True])
    assert built.above(0) == [0] and built.area[0] == 16


# --- answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("row", "col"), SPOTS)
def test_one_click_finds_the_square(encoding, row, col):
    found = RegionPrompter().predict(encoding, Prompt(((col + 15, row + 15),), (1,)))
    assert 1 <= len(found) <= 3 and max(iou(c.mask, truth(row, col)) for c in found) > 0.7


def test_a_second_click_adds_and_a_third_takes_away(encoding):
    provider = RegionPrompter()
    one, two = ((35, 35), (115, 35))
    both = provider.predict(encoding, Prompt((one, two), (1, 1)))[0].mask
    assert both[35, 35] and both[35, 115]
    less = provider.predict(encoding, Prompt((one, two, (116, 36)), (1, 1, 0)))[0].mask
    assert less[35, 35]


def test_box_and_old_outline(encoding):
    provider = RegionPrompter()
    boxed = provider.predict(encoding, Prompt(box=(98, 18, 132, 52)))
    assert iou(boxed[0].mask, truth(20, 100)) > 0.85
    old = np.zeros((160, 180), bool)
    old[22:52, 103:133] = True  # shifted by a few pixels
    better = provider.predict(encoding, Prompt(mask=old, box=(103, 22, 133, 52)))[0].mask
    assert iou(better, truth(20, 100)) > iou(old, truth(20, 100))


def test_clicks_outside_or_without_data_give_nothing():
    image = picture()
    valid = np.ones(image.shape[:2], bool)
    valid[:, :60] = False
    provider = RegionPrompter()
    encoding = provider.encode(image, valid)
    assert provider.predict(encoding, Prompt(((500, 500),), (1,))) == []
    assert provider.predict(encoding, Prompt(((10, 10),), (1,))) == []
    found = provider.predict(encoding, Prompt(((115, 35),), (1,)))
    assert found and not (found[0].mask & ~valid).any()


# --- places --------------------------------------------------------------------------------------


def test_every_spot_has_a_quarter_tile_around_it_or_the_border():
    for x, y in np.random.default_rng(2).uniform(0, 3000, (200, 2)):
        place = places.place_of(Prompt(((x, y),), (1,)), 3000, 3000, 1024)
        window = place.window
        assert window.col % 512 == 0 and window.row % 512 == 0 and place.factor == 1
        for spot, start, size in ((x, window.col, window.width), (y, window.row, window.height)):
            assert spot - start >= 255 or start == 0
            assert start + size - spot >= 255 or start + size == 3000


def test_a_place_is_kept_while_it_holds_the_prompt():
    first = places.place_of(Prompt(((600, 600),), (1,)), 3000, 3000, 512)
    near = Prompt(((600, 600), (700, 620)), (1, 0))
    assert places.place_of(near, 3000, 3000, 512, stay=first) == first
    far = Prompt(((600, 600), (1900, 620)), (1, 1))
    assert places.place_of(far, 3000, 3000, 512, stay=first).factor > 1


def test_the_level_never_goes_beyond_the_whole_scene():
    place = places.place_of(Prompt(((10, 10),), (1,)), 700, 500, 512, level=6)
    assert place.factor <= 2


@pytest.mark.parametrize("window", [Window(0, 0, 3000, 2000), Window(700, 30, 5, 5)])
def test_covering_holds_the_place_of_every_spot(window):
    tiles = set(places.covering(window, 3000, 2000, 512, 1))
    for x, y in np.random.default_rng(3).uniform(0, 1, (100, 2)):
        spot = (window.col + x * window.width, window.row + y * window.height)
        assert places.place_of(Prompt((spot,), (1,)), 3000, 2000, 512) in tiles


# --- the store -----------------------------------------------------------------------------------


class Counting(RegionPrompter):
    """Counts its encodings and gives them features."""

    def __init__(self):
        self.count = 0

    def encode(self, image, valid):
        self.count += 1
        features = np.full((1, 4, 8, 8), 1 / 3, np.float32)
        return Encoding(image.shape[:2], {"f": features, "n": np.arange(3)})


def test_a_stored_encoding_is_the_same_and_half_as_large(tmp_path):
    store = EncodingStore(disk=DiskStore(tmp_path))
    made = store.get(("k",), lambda: Counting().encode(np.zeros((5, 6, 3), np.uint8), None))
    again = EncodingStore(disk=DiskStore(tmp_path)).find(("k",))
    assert again.shape == (5, 6) and np.array_equal(again.content["f"], made.content["f"])
    assert again.content["f"].dtype == np.float32 and again.content["n"].dtype == np.int64
    with np.load(next(tmp_path.glob("*.npz"))) as kept:
        assert kept["f"].dtype == np.float16


def test_damaged_files_are_made_again(tmp_path):
    disk = DiskStore(tmp_path)
    disk.write("k", Encoding((2, 2), {"a": np.ones(3)}))
    path = next(tmp_path.glob("*.npz"))
    path.write_bytes(path.read_bytes()[:40])
    assert disk.read("k") is None and not path.exists()


def test_the_oldest_go_when_the_folder_is_full(tmp_path):
    disk = DiskStore(tmp_path)
    for number in range(5):
        disk.write(number, Encoding((2, 2), {"a": np.zeros(1500)}))
        path = disk._path(number)
        os.utime(path, (number, number))
    disk.limit = 40_000
    disk.read(0)  # used just now, so it is not the oldest
    disk.write(5, Encoding((2, 2), {"a": np.zeros(1500)}))
    count, size = disk.size()
    assert size <= 40_000 and disk.read(0) is not None and disk.read(1) is None
    disk.clear()
    assert disk.size() == (0, 0)


def test_a_folder_that_cannot_be_written_costs_nothing(tmp_path):
    file = tmp_path / "file"
    file.write_text("x")
    store = EncodingStore(disk=DiskStore(file / "below"))
    assert store.get("k", lambda: Encoding((1, 1), {})).shape == (1, 1)


def test_a_raster_written_in_place_is_encoded_again(raster):
    provider, store = Counting(), EncodingStore()
    place = places.at(90, 80, 180, 160, 512, 1)

    def ask(bands=()):
        with Scene([raster]) as scene:
            planes = composite.of_scene(scene, bands)
            places.encoding_at(scene, planes, provider, place, store)

    ask()
    ask()
    assert provider.count == 1
    ask(["green", "red", "blue"])
    assert provider.count == 2
    stat = os.stat(raster)
    grid = rasters.info(raster).grid
    values = picture(seed=9).transpose(2, 0, 1)
    rasters.write(raster, values, grid, names=["red", "green", "blue"])
    os.utime(raster, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    ask()
    assert provider.count == 3


# --- whole extents and similar objects -----------------------------------------------------------


def test_all_of_an_extent_is_numbered_and_small_regions_join(raster, tmp_path):
    with Scene([raster]) as scene:
        planes = composite.of_scene(scene)
        window = everything.window_of(scene.grid, (5e5 + 5, 5e6 - 150, 5e5 + 175, 5e6 - 5), "")
        found = everything.regions(scene, planes, RegionPrompter(), window, 40, tmp_path)
    numbers = np.array(found.open())
    assert numbers.shape == (145, 170) and (numbers > 0).all()
    sizes = np.bincount(numbers.ravel())
    assert found.count == (sizes[1:] > 0).sum() and sizes[sizes > 0].min() >= 40
    row, col = SPOTS[0]
    part = numbers[row + 2 - 5 : row + 23, col + 2 - 5 : col + 23]
    assert np.bincount(part.ravel()).max() > 0.8 * part.size


def test_an_extent_beside_the_image_is_refused(raster):
    with Scene([raster]) as scene, pytest.raises(ConcordError, match="does not overlap"):
        everything.window_of(scene.grid, (0, 0, 10, 10), "")


def test_encoding_an_extent_counts_tiles_without_data(tmp_path):
    path = str(tmp_path / "half.tif")
    values = np.zeros((3, 300, 1400), np.float32)
    values[:, :, :500] = picture(300, 500).transpose(2, 0, 1)
    values[:, :, 500:] = np.nan
    place = Grid("EPSG:32632", (1.0, 0.0, 5e5, 0.0, -1.0, 5e6), 1400, 300)
    rasters.write(path, values, place, names=["red", "green", "blue"])
    with Scene([path]) as scene:
        planes = composite.of_scene(scene)
        tiles, empty = everything.encode(scene, planes, Counting(), scene.grid.window)
    assert tiles > empty > 0


def test_similar_squares_are_found_and_not_the_example(raster):
    provider = RegionPrompter()
    with Scene([raster]) as scene:
        planes = composite.of_scene(scene)
        row, col = SPOTS[0]
        prompt = Prompt(((col + 15, row + 15),), (1,))
        answers = predict.answer(scene, planes, provider, 1, prompt)
        example = max(answers, key=lambda a: iou(a.mask, truth(row, col)))
        tiles = places.covering(scene.grid.window, 180, 160, 512, 1)
        found = similar.find(scene, planes, provider, [example], tiles)
    hits = [max(iou(a.mask, truth(r, c)) for r, c in SPOTS[1:]) for a in found[:3]]
    assert min(hits) > 0.7
    assert all(iou(a.mask, example.mask) < 0.3 for a in found)


def test_similar_objects_by_an_encoders_features(raster, real_data):
    provider = predict.provider_of(str(real_data / "models" / "standin-click"))
    with Scene([raster]) as scene:
        planes = composite.of_scene(scene)
        row, col = SPOTS[0]
        example = predict.answer(scene, planes, provider, 1, Prompt(((35, 35),), (1,)))[0]
        tiles = places.covering(scene.grid.window, 180, 160, 1024, 1)
        found = similar.find(scene, planes, provider, [example], tiles)
    assert all(iou(a.mask, b.mask) < 0.5 for i, a in enumerate(found) for b in found[:i])


def test_similar_objects_need_an_example(raster):
    with Scene([raster]) as scene, pytest.raises(ConcordError, match="no example"):
        similar.find(scene, composite.of_scene(scene), RegionPrompter(), [], [])


# --- one prompt ----------------------------------------------------------------------------------


def test_what_reaches_over_the_tile_is_looked_at_on_a_larger_one(tmp_path):
    path = str(tmp_path / "long.tif")
    image = np.full((3, 300, 2000), 40.0)
    image[:, 100:200, 100:1900] = 200
    image += np.random.default_rng(4).normal(0, 3, image.shape)
    place = Grid("EPSG:32632", (1.0, 0.0, 5e5, 0.0, -1.0, 5e6), 2000, 300)
    rasters.write(path, image.clip(0, 255).astype(np.uint8), place, names=["red", "green", "blue"])
    with Scene([path]) as scene:
        planes = composite.of_scene(scene)
        prompt = Prompt(((1000, 150),), (1,))
        narrow = predict.answer(scene, planes, RegionPrompter(), 1, prompt, widen=False)
        wide = predict.answer(scene, planes, RegionPrompter(), 1, prompt)
    assert narrow[0].place.factor == 1 and wide[0].place.factor > 1


@pytest.mark.parametrize("pixels", [3, -3, 0])
def test_growing_moves_the_border_by_pixels(pixels):
    mask = np.zeros((60, 60), bool)
    mask[20:40, 20:40] = True
    grown = predict.grown(mask, pixels)
    assert grown[30].sum() == 20 + 2 * pixels
    assert not predict.grown(np.zeros((5, 5), bool), 2).any()
    assert not predict.grown(mask, -15).any()


@pytest.mark.parametrize("level", [0, 1, 3, 8])
def test_what_is_prepared_is_what_a_click_asks_for(level):
    """At every level, also where the scene is smaller than a tile."""
    for size in ((64, 64), (700, 500), (3000, 2000)):
        tiles = set(places.covering(Window(0, 0, *size), *size, 512, 2**level))
        spot = Prompt(((size[0] / 2, size[1] / 3),), (1,))
        assert places.place_of(spot, *size, 512, level) in tiles
