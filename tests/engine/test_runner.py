"""Running models: tiled equals whole, edges, alignment, no data, masks, extents, preflight."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from concord.plugin.engine import rasters
from concord.plugin.engine.errors import Cancelled, ConcordError
from concord.plugin.engine.grid import Grid
from concord.plugin.engine.infer import item as items
from concord.plugin.engine.infer import runner
from concord.plugin.engine.infer.session import Model
from concord.plugin.engine.progress import Progress
from concord.plugin.engine.scene import Scene


@pytest.fixture
def run(tmp_path):
    """run(model, image, ...) -> (report, classes, probabilities)."""

    def go(model, paths, name="out", progress=None, **wish):
        model = model if isinstance(model, Model) else Model(model)
        paths = [paths] if isinstance(paths, str) else paths
        output, scores = str(tmp_path / f"{name}.tif"), str(tmp_path / f"{name}-p.tif")
        with Scene(paths) as scene:
            asked = runner.RunWish(output, scores, **wish)
            report = runner.run(model, scene, asked, progress or Progress())
        return report, rasters.read(output)[0], rasters.read(scores)

    return go


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=0))
    return powers / powers.sum(axis=0)


def whole(model: str, image: str) -> np.ndarray:
    """Probabilities of one call on the whole image."""
    return softmax(Model(model).run(rasters.read(image)))


@pytest.mark.parametrize("tile", [15, 32, 64, 500])
@pytest.mark.parametrize("size", [(90, 100), (33, 31), (5, 9)])
def test_tiled_equals_whole_where_the_halo_covers_what_the_graph_sees(
    make_model, image, item, run, tile, size
):
    model = make_model(card=item(hyper={"tile": tile, "halo": 3}), layers=3)
    path = image(*size)
    report, classes, scores = run(model, path)
    expected = whole(model, path)
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    np.testing.assert_array_equal(classes, expected.argmax(axis=0) + 1)
    assert report["pixels"] == report["labelled"] == size[0] * size[1]
    assert sum(c["pixels"] for c in report["classes"]) == report["labelled"]


@pytest.mark.parametrize("halo", [0, 1, 2])
def test_a_halo_that_is_too_small_shows(make_model, image, item, run, halo):
    model = make_model(card=item(hyper={"tile": 32, "halo": halo}), layers=3)
    path = image()
    _, _, scores = run(model, path)
    assert np.abs(scores - whole(model, path)).max() > 1e-3


@pytest.mark.parametrize("size", [(90, 100), (64, 64), (40, 40), (41, 100)])
def test_a_graph_of_fixed_size_sees_data_and_no_padding(make_model, image, item, run, size):
    path = image(*size)
    card = item(hyper={"tile": 40, "halo": 3})
    _, _, scores = run(make_model(card=card, side=40), path)
    expected = whole(make_model("free.onnx", card), path)
    inner = (slice(None), slice(3, -3), slice(3, -3))
    np.testing.assert_allclose(scores[inner], expected[inner], atol=1e-5)


def test_an_image_smaller_than_the_fixed_size_is_mirrored(make_model, image, item, run):
    path = image(17, 21)
    card = item(hyper={"tile": 40, "halo": 3})
    report, classes, scores = run(make_model(card=card, side=40), path)
    assert report["tiles"] == 1 and scores.shape == (4, 17, 21) and (classes > 0).all()
    mirrored = np.pad(rasters.read(path), ((0, 0), (0, 23), (0, 19)), mode="symmetric")
    expected = softmax(Model(make_model("free.onnx", card)).run(mirrored))[:, :17, :21]
    np.testing.assert_allclose(scores, expected, atol=1e-5)


@pytest.mark.parametrize("side", [None, 40])
@pytest.mark.parametrize("size", [(90, 100), (91, 101), (33, 47)])
def test_a_graph_that_strides_sees_the_same_blocks_in_every_tile(
    make_model, image, item, run, side, size
):
    """Once the last columns of a fixed, aligned graph were not covered; odd sizes did not run."""
    card = item(hyper={"tile": 40, "halo": 4, "alignment": 4})
    path = image(*size)
    _, classes, scores = run(make_model(card=card, side=side, blocks=True), path)
    more = [-n % 4 for n in size]
    mirrored = np.pad(rasters.read(path), ((0, 0), (0, more[0]), (0, more[1])), mode="symmetric")
    free = Model(make_model("free.onnx", card, blocks=True))
    expected = softmax(free.run(mirrored))[:, : size[0], : size[1]]
    inner = (slice(None), slice(4, -8), slice(4, -8))
    np.testing.assert_allclose(scores[inner], expected[inner], atol=1e-5)
    assert (classes > 0).all()


@given(st.integers(1, 120), st.integers(0, 9), st.integers(1, 9), st.booleans(), st.data())
@settings(max_examples=200, deadline=None)
def test_windows_hold_the_core_and_its_halo(width, halo, step, fixed, data):
    side = data.draw(st.integers(2 * halo + step + step, 64))
    start = data.draw(st.integers(0, width - 1))
    size = data.draw(st.integers(1, width - start))
    grid = Grid("", (1.0, 0.0, 0.0, 0.0, -1.0, 0.0), width, 1)
    plain = {"id": "x", "properties": {"mlm:hyperparameters": {
        "tile": side, "halo": halo, "alignment": step}}}  # fmt: skip
    area = type(grid.window)(start, 0, size, 1)
    tiles = runner.plan_tiles(grid, area, side, items.from_item(plain, ""), fixed)
    cores = [(t.core.col, t.core.col + t.core.width) for t in tiles]
    assert cores[0][0] == start and cores[-1][1] == start + size
    assert all(one[1] == other[0] for one, other in zip(cores, cores[1:]))
    for tile, (left, right) in zip(tiles, cores):
        first, last = tile.window.col, tile.window.col + tile.window.width
        assert first % step == 0 and 0 <= first and last <= width
        assert first <= max(0, left - halo) and last >= min(width, right + halo)
        assert tile.window.width <= (side if fixed else side + step)
        if not fixed:
            assert tile.window.width % step == 0 or last == width


def test_bands_last_is_the_same_map(make_model, image, item, run):
    path = image(50, 40)
    last = item(axes=("batch", "height", "width", "bands"))
    _, first, _ = run(make_model("a.onnx", layers=2), path)
    _, turned, _ = run(make_model("b.onnx", last, layers=2, nhwc=True), path)
    np.testing.assert_array_equal(first, turned)


def test_bands_are_found_by_name_wherever_they_stand(make_model, put, image, run):
    values = rasters.read(image(30, 30))
    names = ["nir", "blue", "red", "green"]
    mixed = np.stack([values[2], values[0], values[0], values[1]])
    other = put("mixed.tif", mixed, names=names, units=["reflectance"] * 4)
    model = make_model()
    np.testing.assert_array_equal(run(model, image(30, 30))[1], run(model, other, "b")[1])


def test_value_scaling_is_applied_a_band(make_model, put, image, item, run):
    rules = [{"type": "z-score", "mean": 100, "stddev": 50}, {"type": "scale", "value": 200},
             {"type": "min-max", "minimum": 50, "maximum": 250}]  # fmt: skip
    digits = np.random.default_rng(2).integers(0, 255, (3, 30, 30)).astype(np.float32)
    path = put("dn.tif", digits, names=["red", "green", "nir"], units=["DN"] * 3)
    card = item(scaling=rules, hyper={"unit": "DN"})
    model = make_model(card=card)
    scaled = np.stack([(digits[0] - 100) / 50, digits[1] / 200, (digits[2] - 50) / 200])
    _, _, scores = run(model, path)
    np.testing.assert_allclose(scores, softmax(Model(model).run(scaled)), atol=1e-5)


@pytest.mark.parametrize(
    "rules, words",
    [
        ([{"type": "scale", "value": 2}] * 2, "scales 2 bands and names 3"),
        ([{"type": "scale"}], "is incomplete"),
        (["z-score"], "is incomplete"),
        ([{"type": "processing"}], "'processing' is not supported; fold it into the graph"),
    ],
)
def test_scalings_that_cannot_be_applied_are_refused(make_model, image, item, run, rules, words):
    with pytest.raises(ConcordError, match=words):
        run(make_model(card=item(scaling=rules)), image(20, 20))


def test_no_data_in_is_no_data_out_and_pulls_no_neighbour(make_model, image, run, tmp_path):
    hole = (slice(10, 20), slice(40, 70))
    path = image(hole=hole)
    report, classes, scores = run(make_model(), path)
    empty = np.zeros((90, 100), bool)
    empty[hole] = True
    assert ((classes == 0) == empty).all() and (np.isnan(scores).all(axis=0) == empty).all()
    assert rasters.info(tmp_path / "out.tif").bands[0].nodata == 0
    values = rasters.read(path)
    full = np.where(np.isnan(values), np.nanmean(values, axis=(1, 2))[:, None, None], values)
    expected = softmax(Model(make_model("b.onnx")).run(full))
    np.testing.assert_allclose(scores[:, ~empty], expected[:, ~empty], atol=1e-4)
    assert report["labelled"] == 9000 - 300


class Counting(Model):
    calls = 0

    def run_all(self, images):
        self.calls += 1
        return super().run_all(images)


def test_a_mask_leaves_the_rest_empty_and_skips_its_tiles(make_model, image, item, run, make_grid):
    model = Counting(make_model(card=item(hyper={"tile": 26, "halo": 3})))
    left, top = make_grid(1, 1).xy(22, 21)
    ring = [(left, top), (left + 150, top), (left + 150, top - 100), (left, top - 100), (left, top)]
    shape = {"type": "Polygon", "coordinates": [ring]}
    report, classes, _ = run(model, image(), mask=(shape,))
    inside = np.zeros((90, 100), bool)
    inside[21:31, 22:37] = True
    assert ((classes > 0) == inside).all()
    assert report["tiles"] == 25 and model.calls == 1


def test_an_extent_gives_the_same_pixels_in_their_place(
    make_model, image, run, make_grid, tmp_path
):
    model, path = make_model(), image()
    _, everything, _ = run(model, path)
    grid = make_grid(100, 90)
    left, top = grid.xy(33, 17)
    bounds = (left + 1, top - 400, left + 299, top - 1)
    report, part, _ = run(model, path, "part", extent=bounds)
    np.testing.assert_array_equal(part, everything[17:57, 33:63])
    info = rasters.info(tmp_path / "part.tif")
    assert info.grid.xy(0, 0) == (left, top) and report["grid"]["width"] == 30
    degrees = rasters.transform_bounds(bounds, grid.crs, "EPSG:4326")
    _, again, _ = run(model, path, "again", extent=degrees, extent_crs="EPSG:4326")
    assert again.shape[0] >= 40 and again.shape[1] >= 30
    _, world, _ = run(model, path, "world", extent=(-180, -90, 180, 90), extent_crs="EPSG:4326")
    np.testing.assert_array_equal(world, everything)


@pytest.mark.parametrize("executor", ["local:2", "local:5"])
def test_threads_give_the_same_bytes(make_model, image, run, tmp_path, executor):
    model, path = make_model(), image(hole=(slice(0, 30), slice(0, 30)))
    run(model, path, "one")
    run(model, path, "many", executor=executor)
    for end in (".tif", "-p.tif", ".tif.aux.xml"):
        assert (tmp_path / f"one{end}").read_bytes() == (tmp_path / f"many{end}").read_bytes()


def test_a_model_runs_twice(make_model, image, run):
    """Once the first run's end told the session to terminate every later call."""
    model, path = Model(make_model()), image(40, 40)
    np.testing.assert_array_equal(run(model, path)[1], run(model, path, "b")[1])


def test_code_0_is_shifted_and_that_is_told(make_model, image, item, run, tmp_path):
    path = image(20, 20)
    model = make_model(card=item(classes=(0, 1, 2, 3)))
    report, classes, _ = run(model, path)
    np.testing.assert_array_equal(classes, whole(model, path).argmax(axis=0) + 1)
    assert report["code_shift"] == 1
    assert rasters.info(tmp_path / "out.tif").categories == {1: "c0", 2: "c1", 3: "c2", 4: "c3"}


def test_codes_follow_the_card_and_not_the_channel(make_model, image, item, run):
    path = image(20, 20)
    model = make_model(card=item(classes=(40, 7, 11, 200)))
    expected = np.array([40, 7, 11, 200])[whole(model, path).argmax(axis=0)]
    np.testing.assert_array_equal(run(model, path)[1], expected)


@pytest.mark.parametrize("activation", ["sigmoid", "logits"])
def test_one_channel_becomes_two_classes(make_model, image, item, run, activation):
    path = image(20, 20)
    card = item(classes=(1,), hyper={"activation": activation})
    model = make_model(card=card, classes=1)
    raw = Model(model).run(rasters.read(path))[0]
    _, classes, scores = run(model, path)
    share = raw if activation == "sigmoid" else expit(raw)
    np.testing.assert_allclose(scores, np.stack([1 - share, share]), atol=1e-5)
    np.testing.assert_array_equal(classes, np.where(share > 0.5, 2, 1))


@pytest.mark.parametrize(
    "graph, card, words",
    [
        ({"answer": "nan"}, {}, "returned values that are not numbers; check the unit"),
        ({"classes": 3}, {}, "answers 3 classes but its card names 4; correct the card"),
        ({}, {"hyper": {"tile": 6}}, "tile of 6 pixels does not suit its halo of 3"),
        ({}, {"hyper": {"halo": -2}}, "does not suit its halo of -2"),
        ({}, {"hyper": {"halo": None}}, "lacks halo; complete it in"),
        ({}, {"tasks": ["object-detection"]}, "is made for 'object-detection'"),
        ({}, {"bands": ("red", "green", "swir16")}, r"bands missing swir16 \(the image has red"),
        ({}, {"classes": (1, 2, 3, 255)}, "do not fit into 1-254"),
        ({"inputs": 2}, {}, "has 2 inputs"),
        ({"answer": "3d"}, {}, "gives 3 dimensions"),
    ],
)
def test_what_does_not_fit_is_a_sentence_and_writes_nothing(
    make_model, image, item, run, tmp_path, graph, card, words
):
    model = make_model(card=item(**card), **graph)
    path = image(20, 20)
    with pytest.raises(ConcordError, match=words):
        run(model, path)
    assert not list(tmp_path.glob("out*")) and not list(tmp_path.glob(".out*"))


def test_a_cancel_while_the_model_computes_leaves_nothing(make_model, image, run, tmp_path):
    class Slow(Model):
        def run_all(self, images):
            time.sleep(3)
            return super().run_all(images)

    cancelled = threading.Event()
    threading.Timer(0.3, cancelled.set).start()
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        run(Slow(make_model()), image(40, 40), progress=Progress(cancelled=cancelled.is_set))
    assert time.monotonic() - begun < 0.3 + 0.5
    assert not list(tmp_path.glob("out*")) and not list(tmp_path.glob(".out*"))


def test_a_write_that_fails_ends_the_tiles_under_way(make_model, image, run, tmp_path, monkeypatch):
    model = Counting(make_model())

    def fail(self, *_):
        raise ConcordError("full")

    monkeypatch.setattr(rasters.Writer, "write", fail)
    with pytest.raises(ConcordError, match="full") as kept:  # the error holds the frames
        run(model, image())
    calls = model.calls
    time.sleep(0.1)
    assert model.calls <= calls + 2 < 16 and kept.value.args
    assert not list(tmp_path.glob("out*"))


def test_red_can_be_overridden_and_the_report_keeps_it(make_model, image, make_grid, run):
    model, path = make_model(), image(20, 20, make_grid(20, 20, 100.0))
    with pytest.raises(ConcordError, match="does not fit the image: resolution 100 m"):
        run(model, path)
    report, classes, _ = run(model, path, override=True)
    assert report["override"] and "red" in [v["level"] for v in report["verdicts"]]
    assert (classes > 0).all()


def test_linear_backscatter_is_run_as_decibels(make_model, put, item, run):
    power = np.random.default_rng(1).gamma(4, 0.02, (2, 20, 20)).astype(np.float32)
    paths = [put(f"S1A_x/{n}.tif", p) for n, p in zip(("VV", "VH"), power)]
    card = item(bands=("vv", "vh"), hyper={"unit": "dB"})
    model = make_model(card=card, bands=2)
    report, _, scores = run(model, paths)
    expected = softmax(Model(model).run((10 * np.log10(power)).astype(np.float32)))
    np.testing.assert_allclose(scores, expected, atol=1e-4)
    assert any("converted to dB" in warning for warning in report["warnings"])


def test_the_report_names_the_file_that_ran(make_model, image, run):
    from concord.plugin.engine import files

    path = make_model()
    report, _, _ = run(path, image(20, 20))
    assert report["model"]["sha256"] == files.sha256(path)
    assert Path(report["model"]["file"]).name == "tiny.onnx"
    files.write_json(Path(path).with_name("report.json"), report)
