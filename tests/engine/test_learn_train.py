"""Training: probabilities equal scikit-learn's, blocks are held out, bad labels get a sentence."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import numpy as np
import pytest

from concord.plugin.engine import rasters
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.infer import runner, session
from concord.plugin.engine.learn import classifiers, features, train, validate
from concord.plugin.engine.sample import scene as sample_scene
from concord.plugin.engine.scene import Scene

CODES = np.array([3, 7, 9])


@pytest.fixture(scope="module")
def land(tmp_path_factory):
    """The sample scene's optical image and a sparse label raster."""
    folder = tmp_path_factory.mktemp("land")
    made = sample_scene.generate(1, 320)
    image, labels = str(folder / "optical.tif"), str(folder / "labels.tif")
    rasters.write(
        image, made.optical, made.grid, names=["blue", "green", "red", "nir"],
        units=["reflectance"] * 4, nodata=np.nan,
    )  # fmt: skip
    sparse = np.where(np.random.default_rng(0).random(made.truth.shape) < 0.2, made.truth, 0)
    rasters.write(labels, sparse.astype(np.uint8), made.grid, nodata=0)
    return image, labels, made


def cloud(count: int, width: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, count)
    x = rng.normal(size=(count, width)).astype(np.float32) + y[:, None] * rng.random(width)
    return x.astype(np.float32), CODES[y]


@pytest.mark.parametrize("method", list(classifiers.METHODS))
@pytest.mark.parametrize("classes", [2, 3])
def test_graph_gives_scikit_learns_probabilities(method, classes):
    x, y = cloud(1800, 6)
    x, y = x[y != 9] if classes == 2 else x, y[y != 9] if classes == 2 else y
    learned = classifiers.fit(method, x, y, trees=12)
    build = features.Builder()
    made = build.node("Identity", learned.head(build, features.INPUT), output="out")
    model = build.model("head", 6, made, classes)
    image = x[:1024].T.reshape(6, 32, 32)
    got = features.session(model).run(None, {features.INPUT: image[None]})[0][0]
    wanted = learned.probabilities(x[:1024])
    gap = np.abs(got.reshape(classes, -1).T - wanted).max(axis=1)
    # A rotation's sums may fall on either side of a threshold in their last bit.
    assert np.mean(gap <= 1e-5) >= (0.999 if method == "rotationforest" else 1.0), gap.max()
    assert np.allclose(got.sum(axis=0), 1, atol=1e-5)
    assert list(learned.codes) == list(CODES[:classes])


@pytest.mark.parametrize("rotation", classifiers.ROTATIONS)
def test_rotations(rotation):
    x, y = cloud(600, 9)
    learned = classifiers.fit("rotationforest", x, y, trees=10, rotation=rotation)
    assert np.mean(learned.codes[learned.probabilities(x).argmax(axis=1)] == y) > 0.9


def test_features_are_what_they_say():
    rng = np.random.default_rng(0)
    image = rng.random((2, 20, 20)).astype(np.float32)
    plan = features.plan(("red", "nir"), ("ndvi",), (3,), image)
    made = features.feature_session(plan).run(None, {features.INPUT: image[None]})[0][0]
    assert len(plan.names) == len(made) == 7
    assert np.allclose(made[2], (image[1] - image[0]) / (image[1] + image[0]), atol=1e-6)
    level = (image - np.array(plan.centre)[:, None, None]) / np.array(plan.spread)[:, None, None]
    padded = np.pad(level, ((0, 0), (1, 1), (1, 1)), mode="reflect")
    window = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
    assert np.allclose(made[3:5], window.mean(axis=(3, 4)), atol=1e-5)
    assert np.allclose(made[5:7], window.std(axis=(3, 4)), atol=1e-4)
    assert plan.columns("red") == [0, 3, 5] and plan.columns("ndvi") == [2]


def test_pairs_are_the_engines_derived_bands():
    from concord.plugin.engine import derive

    class Named:
        names = ["green", "red", "nir", "swir16", "swir22", "vv", "vh"]
        sources = {name: SimpleNamespace(unit="reflectance") for name in names}

    image = np.array([[[0.3]], [[0.1]]], np.float32)
    for name, (one, other, _) in features.PAIRS.items():
        band = derive.plan([name], Named)[0]
        assert set(band.needs) == {one, other}
        plan = features.plan((one, other), (name,), (), image)
        made = features.feature_session(plan).run(None, {features.INPUT: image[None]})[0][0]
        wanted = band.compute({one: image[0], other: image[1]})
        assert made[2, 0, 0] == pytest.approx(float(wanted[0, 0]), abs=1e-6)


def test_blocks_are_never_in_two_folds():
    rng = np.random.default_rng(0)
    places = rng.integers(0, 200, (3000, 2))
    codes = rng.integers(1, 4, 3000)
    grid = rasters.info  # only width and height are looked at

    class Size:
        width = height = 200

    numbers, side = validate.blocks(places, Size, 5)
    fold = validate.assign(numbers, codes, 5)
    for block in np.unique(numbers):
        assert np.unique(fold[numbers == block]).size == 1
    assert side < 200 and np.unique(fold).size == 5 and grid
    held = fold == 0
    train_ = validate._train(places, held, 5)
    gaps = np.abs(places[train_][:, None] - places[held][None]).max(axis=2).min(axis=1)
    assert gaps.min() > 5


def test_labels_to_running_map(land, tmp_path):
    image, labels, made = land
    target = str(tmp_path / "mine.onnx")
    started = time.monotonic()
    wish = train.TrainWish(target, labels, samples=4000, next_map=str(tmp_path / "next.tif"))
    report = train.train(wish, [image])
    assert report["quality"]["accuracy"] > 0.8
    assert report["onnx_against_scikit_learn"]["largest"] <= 1e-5
    assert {c["code"] for c in report["classes"]} == set(np.unique(made.truth)) - {0}
    points = report["quality"]["learning_curve"]
    assert [p["pixels"] for p in points] == sorted(p["pixels"] for p in points)
    assert {i["source"] for i in report["quality"]["importance"]} == {
        "blue", "green", "red", "nir", "ndvi", "ndwi",
    }  # fmt: skip
    model = session.Model(target)
    assert model.card.missing == () and model.card.halo == 4
    with Scene([image]) as scene:
        out = str(tmp_path / "map.tif")
        ran = runner.run(model, scene, runner.RunWish(out))
    assert all(v["level"] == "green" for v in ran["verdicts"]), ran["verdicts"]
    assert np.mean(rasters.read(out)[0] == made.truth) > 0.85
    assert time.monotonic() - started < 60
    wanted = rasters.read(str(tmp_path / "next.tif"))[0]
    assert 0 <= np.nanmin(wanted) and np.nanmax(wanted) <= 1
    card = json.loads((tmp_path / "mine.mlm.json").read_text())
    assert card["properties"]["mlm:hyperparameters"]["training_pixels"] == report["samples"]


def test_same_seed_same_bytes(land, tmp_path):
    image, labels, _ = land
    made = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        wish = train.TrainWish(str(folder / "m.onnx"), labels, samples=1000)
        train.train(wish, [image])
        made.append((folder / "m.onnx").read_bytes())
    assert made[0] == made[1]


def test_polygons(land, tmp_path):
    image, _, made = land
    shapes = []
    for code in (1, 2):
        rows, cols = np.nonzero(made.truth == code)
        for k in range(0, rows.size, max(1, rows.size // 8)):
            x, y = made.grid.xy(cols[k], rows[k])
            ring = [(x, y), (x + 60, y), (x + 60, y - 60), (x, y - 60), (x, y)]
            shapes.append(({"type": "Polygon", "coordinates": [ring]}, code))
    wish = train.TrainWish(str(tmp_path / "p.onnx"), shapes=tuple(shapes), samples=500, windows=())
    report = train.train(wish, [image])
    assert [c["name"] for c in report["classes"]] == ["class 1", "class 2"]
    assert report["halo"] == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shapes": ()}, "no polygons"),
        ({"bands": ("thermal",)}, "no band named thermal"),
        ({"windows": (4,)}, "odd"),
        ({"derived": ("mndwi",)}, "needs the band"),
        ({"derived": ("evi9",)}, "not known"),
    ],
)
def test_bad_wishes_get_a_sentence(land, tmp_path, changes, words):
    wish = train.TrainWish(str(tmp_path / "x.onnx"), **{"labels_raster": "", **changes})
    with pytest.raises(ConcordError, match=words):
        train.train(wish, [land[0]])
    assert list(tmp_path.iterdir()) == []


def test_one_class_and_labels_outside(land, tmp_path):
    image, _, made = land
    one = str(tmp_path / "one.tif")
    rasters.write(one, np.full(made.truth.shape, 4, np.uint8), made.grid, nodata=0)
    with pytest.raises(ConcordError, match="one class"):
        train.train(train.TrainWish(str(tmp_path / "x.onnx"), one), [image])
    far = {"type": "Polygon", "coordinates": [[(0, 0), (9, 0), (9, 9), (0, 0)]]}
    with pytest.raises(ConcordError, match="do not touch"):
        train.train(train.TrainWish(str(tmp_path / "x.onnx"), shapes=((far, 1),)), [image])
    with pytest.raises(ConcordError, match="method"):
        classifiers.fit("xgboost", np.zeros((4, 2)), np.arange(4))
