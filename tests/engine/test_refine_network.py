"""A trained model judges a map whose errors are no noise."""

from __future__ import annotations

import numpy as np
import pytest

from concord.plugin.engine import rasters
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid
from concord.plugin.engine.infer.session import Model
from concord.plugin.engine.refine import network, run
from concord.plugin.engine.scene import Scene
from concord.plugin.engine.taxonomy import ClassDef, Taxonomy
from tests.engine.tiny import card_of, graph, node  # noqa: F401 - graph is a fixture

SIDE = 192
PLACES = [[-80.0, 37.0, -79.0, 38.0], [9.5, 44.0, 10.5, 44.5]]  # the second is 70 km away
SCHEME = Taxonomy("t", "T", [ClassDef(1, "tree canopy", "#267300"), ClassDef(2, "grass", "#a3ff73"),
                             ClassDef(3, "glacier", "#ffffff")])  # fmt: skip


@pytest.fixture
def judge(graph):  # noqa: F811 - the fixture
    """A model that calls bright pixels low vegetation and dark ones trees, under other names."""
    item = card_of("semantic-segmentation", classes=("Low_Vegetation", "forest"), halo=0,
                   pixel_size_range_m=[0.5, 2], training_places=PLACES)  # fmt: skip
    nodes = [node("ReduceMean", "in0", "m", axes=[1], keepdims=1),
             node("Sub", "one m", "d"), node("Concat", "m d", "out", axis=1)]  # fmt: skip
    return graph(nodes, item, constants={"one": np.float32([1])})


@pytest.fixture
def coarse(tmp_path):
    """(image, map, truth): a 1 m image and a map in blocks of 32 that is half wrong."""
    rng = np.random.default_rng(5)
    rows, cols = np.mgrid[:SIDE, :SIDE]
    truth = np.where(np.hypot(rows - 96, cols - 96) < 70, 2, 1).astype(np.uint8)
    values = np.where(truth == 2, 0.8, 0.2)[None] + rng.normal(0, 0.03, (3, SIDE, SIDE))
    codes = np.kron(rng.integers(1, 3, (6, 6)), np.ones((32, 32), int)).astype(np.uint8)
    grid = Grid("EPSG:32632", (1.0, 0, 5e5, 0, -1.0, 5e6), SIDE, SIDE)
    image, labels = str(tmp_path / "image.tif"), str(tmp_path / "map.tif")
    rasters.write(image, values.astype(np.float32), grid, names=["red", "green", "nir"],
                  units=["reflectance"] * 3, nodata=np.nan)  # fmt: skip
    rasters.write(labels, codes, grid, nodata=0, colours=SCHEME.colours, categories=SCHEME.names)
    return image, labels, truth


def refined(coarse, tmp_path, model):
    image, labels, truth = coarse
    target = str(tmp_path / f"after-{model == 'none'}.tif")
    report, _, _ = run.refine([image], labels, target, engine="auto", model=model, objects=False)
    return report, float((rasters.read(target)[0] == truth).mean())


def test_the_model_repairs_what_the_map_cannot_teach(coarse, judge, tmp_path):
    alone, without = refined(coarse, tmp_path, "none")
    report, share = refined(coarse, tmp_path, str(judge.path))
    assert alone["model"] is None and report["model"] == "tiny"
    assert report["noise"]["kind"] == "blocks" and "Tiny, averaged" in report["settings"]
    assert share > 0.98 and without < 0.9


def test_names_of_one_cover_meet_and_others_do_not(judge):
    table = network.table_of(Model(str(judge.path)), SCHEME, [1, 2, 3])
    assert table.tolist() == [[False, True], [True, False], [False, False]]


def test_a_class_of_the_model_that_two_of_the_map_claim_means_neither(judge):
    twice = Taxonomy("t", "T", [ClassDef(1, "forest", "#267300"), ClassDef(2, "trees", "#a3ff73")])
    assert not network.table_of(Model(str(judge.path)), twice, [1, 2]).any()


def test_a_class_that_the_model_does_not_know_stays(coarse, judge, tmp_path):
    image, labels, _ = coarse
    with_ice = rasters.read(labels)[0]
    with_ice[64:96, 64:96] = 3
    rasters.write(labels, with_ice, rasters.info(labels).grid, nodata=0, colours=SCHEME.colours,
                  categories=SCHEME.names)  # fmt: skip
    target = str(tmp_path / "after.tif")
    run.refine([image], labels, target, engine="auto", model=str(judge.path), objects=False)
    after = rasters.read(target)[0]
    assert (after[64:96, 64:96] == 3).all() and (after != with_ice).mean() > 0.2


def test_a_model_of_other_classes_is_refused_with_a_sentence(coarse, graph, tmp_path):  # noqa: F811
    item = card_of("semantic-segmentation", classes=("car", "ship"), halo=0)
    model = graph([node("Identity", "in0", "out")], item)
    with pytest.raises(ConcordError, match="share fewer than two classes"):
        refined(coarse, tmp_path, str(model.path))


def test_unbidden_only_a_model_that_knows_the_map_is_asked(coarse, judge, tmp_path, monkeypatch):
    image, labels, _ = coarse
    monkeypatch.setattr(network, "BUNDLED", judge.path.parent)
    with Scene([image]) as scene:
        found = network.asked("auto", scene, SCHEME, {1: 0.5, 2: 0.5}, tmp_path)
        assert found is not None and found.model.card.id == "tiny"
        assert network.asked("auto", scene, SCHEME, {1: 0.4, 2: 0.4, 3: 0.2}, tmp_path) is None
        assert network.asked("none", scene, SCHEME, {1: 0.5, 2: 0.5}, tmp_path) is None


def test_unbidden_no_model_is_asked_about_values_unlike_its_training(
    coarse,
    graph,  # noqa: F811
    tmp_path,
    monkeypatch,
):
    item = card_of("semantic-segmentation", classes=("grass", "trees"), halo=0,
                   pixel_size_range_m=[0.5, 2], value_range=[[0.0, 0.05]] * 3,
                   training_places=PLACES)  # fmt: skip
    nodes = [node("ReduceMean", "in0", "m", axes=[1], keepdims=1),
             node("Sub", "one m", "d"), node("Concat", "m d", "out", axis=1)]  # fmt: skip
    model = graph(nodes, item, constants={"one": np.float32([1])})
    monkeypatch.setattr(network, "BUNDLED", model.path.parent)
    with Scene([coarse[0]]) as scene:
        assert network.asked("auto", scene, SCHEME, {1: 0.5, 2: 0.5}, tmp_path) is None


@pytest.mark.parametrize(
    "places, why",
    [([[-80.0, 37.0, -79.0, 38.0]], "km away"), ([], "does not say where it was trained")],
)
def test_unbidden_no_model_is_asked_about_a_place_far_from_its_training(
    coarse,
    graph,  # noqa: F811
    tmp_path,
    monkeypatch,
    places,
    why,
):
    item = card_of("semantic-segmentation", classes=("grass", "trees"), halo=0,
                   pixel_size_range_m=[0.5, 2], training_places=places)  # fmt: skip
    nodes = [node("ReduceMean", "in0", "m", axes=[1], keepdims=1),
             node("Sub", "one m", "d"), node("Concat", "m d", "out", axis=1)]  # fmt: skip
    model = graph(nodes, item, constants={"one": np.float32([1])})
    monkeypatch.setattr(network, "BUNDLED", model.path.parent)
    report, _ = refined(coarse, tmp_path, "auto")
    assert report["model"] is None
    told = [note for note in report["notes"] if "was not asked" in note]
    assert len(told) == 1 and why in told[0] and "tiny" in told[0]
    report, _ = refined(coarse, tmp_path, str(model.path))
    assert report["model"] == "tiny" and not any("not asked" in n for n in report["notes"])


def test_bundled_land_cover_models_say_where_they_were_trained():
    for name in ("concord-landcover-aerial", "concord-landcover-s2"):
        assert len(Model(str(network.BUNDLED / f"{name}.onnx")).card.places) >= 2
