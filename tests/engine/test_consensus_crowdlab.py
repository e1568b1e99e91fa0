"""The method crowdlab on rasters, and annotators who break the usual picture."""

from __future__ import annotations

import numpy as np
import pytest

from concord.plugin.engine import grid, rasters
from concord.plugin.engine.consensus import aggregate, run
from concord.plugin.engine.errors import ConcordError

PLACE = grid.Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 54e5), 60, 50)


@pytest.fixture
def files(tmp_path):
    random = np.random.default_rng(8)
    truth = random.integers(1, 4, (50, 60)).astype(np.uint8)
    paths = []
    for number in range(2):
        wrong = random.random(truth.shape) < 0.3
        votes = np.where(wrong, 1 + truth % 3, truth).astype(np.uint8)
        votes[:2] = 0
        paths.append(str(tmp_path / f"p{number}.tif"))
        rasters.write(paths[-1], votes, PLACE)
    chances = np.full((3, *truth.shape), 0.05, np.float32)
    np.put_along_axis(chances, truth[None].astype(int) - 1, 0.9, axis=0)
    chances[:, :, :5] = 0  # the model is silent here
    model = str(tmp_path / "model.tif")
    rasters.write(model, chances, PLACE)
    return {"truth": truth, "people": paths, "model": model, "folder": tmp_path}


def test_a_model_breaks_ties_and_needs_a_vote(files):
    out = str(files["folder"] / "out.tif")
    values, _ = run.combine(files["people"], out, method="crowdlab", model=files["model"])
    made = rasters.read(out)
    assert (made[0][:2] == 0).all() and (made[1][:2] == 0).all(), "nobody voted there"
    plain = run.combine(files["people"], str(files["folder"] / "m.tif"), method="majority")[0]
    right = (made[0] == files["truth"])[2:, 5:].mean()
    assert right > 0.9 and plain["undecided_share"] > 0.2
    assert values["method"] == "crowdlab" and values["model_weight"] > max(values["weights"])
    assert 0 < values["posterior_mean"] < 1 and made[1].max() <= 100


def test_a_model_of_other_classes_or_none_is_a_sentence(files):
    out = files["folder"] / "out.tif"
    with pytest.raises(ConcordError, match="needs a MODEL"):
        run.combine(files["people"], str(out), method="crowdlab")
    short = str(files["folder"] / "short.tif")
    rasters.write(short, np.ones((2, 50, 60), np.float32), PLACE)
    with pytest.raises(ConcordError, match="2 bands and the taxonomy 3 classes"):
        run.combine(files["people"], str(out), method="crowdlab", model=short)
    assert not out.exists()


def test_an_annotator_who_always_votes_one_class_does_no_harm():
    random = np.random.default_rng(3)
    truth = random.integers(1, 4, 30000).astype(np.uint8)
    good = [np.where(random.random(truth.size) < 0.1, 1 + truth % 3, truth) for _ in range(2)]
    lazy = np.ones_like(truth)
    planes = [p.astype(np.uint8) for p in (*good, lazy)]
    classes, _, _, result = aggregate.of_arrays(planes, (1, 2, 3))
    plain = aggregate.of_arrays(planes, (1, 2, 3), "majority")[0]
    assert (classes == truth).mean() >= (plain == truth).mean()
    assert result.confusion[2][:, 0].min() > 0.9


def test_probabilities_in_another_order_were_taken_for_other_classes(files):
    """Bands go by the classes' names; the order of the file does not matter."""
    chances, turned = rasters.read(files["model"]), str(files["folder"] / "turned.tif")
    names = {code: f"class {code}" for code in (1, 2, 3)}
    rasters.write(turned, chances[::-1], PLACE, names=[f"Class {code}" for code in (3, 2, 1)])
    outs = [str(files["folder"] / f"{name}.tif") for name in "ab"]
    for out, model in zip(outs, (files["model"], turned)):
        _, scheme = run.combine(files["people"], out, method="crowdlab", model=model)
    assert scheme.names == names
    assert np.array_equal(*(rasters.read(out) for out in outs))


def test_a_model_of_another_place_was_silent_everywhere(files):
    away = grid.Grid("EPSG:32632", (10.0, 0.0, 9e5, 0.0, -10.0, 54e5), 60, 50)
    path, out = str(files["folder"] / "away.tif"), files["folder"] / "out.tif"
    rasters.write(path, rasters.read(files["model"]), away)
    with pytest.raises(ConcordError, match="away.tif does not overlap"):
        run.combine(files["people"], str(out), method="crowdlab", model=path)
    assert not out.exists()
