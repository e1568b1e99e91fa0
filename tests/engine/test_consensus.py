"""Consensus against SimpleITK, against slow obvious code, and against known annotators."""

from __future__ import annotations

import json

import numpy as np
import pytest

from concord.plugin.engine import rasters
from concord.plugin.engine.consensus import aggregate, run, votes
from concord.plugin.engine.errors import Cancelled, ConcordError
from concord.plugin.engine.grid import Grid
from concord.plugin.engine.progress import Progress


def annotators(truth, matrices, seed=1, missing=0.0):
    """One label array an annotator, drawn from confusion matrices (true class, voted class)."""
    rng = np.random.default_rng(seed)
    made = []
    for matrix in matrices:
        chances = np.cumsum(matrix, axis=1)[truth - 1]
        voted = (rng.random(truth.shape)[..., None] > chances).sum(axis=-1) + 1
        voted = np.minimum(voted, len(matrix))
        made.append(np.where(rng.random(truth.shape) < missing, 0, voted).astype(np.uint8))
    return made


def careful(k, share):
    """A confusion matrix that is right with ``share`` and errs evenly."""
    return np.full((k, k), (1 - share) / (k - 1)) + np.eye(k) * (share - (1 - share) / (k - 1))


def patterns_of(planes, k):
    """Patterns of label arrays with codes 1-k, counted by plain Python."""
    counted = {}
    for pixel in zip(*(plane.ravel().tolist() for plane in planes)):
        counted[pixel] = counted.get(pixel, 0) + 1
    keys = sorted(counted)
    return votes.Patterns(
        np.array(keys, np.int16) - 1, np.array([counted[key] for key in keys]), np.arange(1, k + 1)
    )


@pytest.fixture
def combine(put, tmp_path):
    """combine(label arrays, ...) -> (values, class, posterior, agreement)."""

    def go(planes, grids=None, name="c", codes=None, gold=None, **more):
        paths = [put(f"{name}/ann{i}.tif", plane, grids[i] if grids else None)
                 for i, plane in enumerate(planes)]  # fmt: skip
        if gold is not None:
            more["gold"] = put(f"{name}/gold.tif", gold)
        output, share = str(tmp_path / f"{name}.tif"), str(tmp_path / f"{name}-a.tif")
        values, scheme = run.combine(paths, output, agreement=share, **more)
        json.dumps(values, allow_nan=False)
        classes, posterior = rasters.read(output)
        return values, classes, posterior, rasters.read(share)[0]

    return go


def test_a_single_vote_was_counted_as_unanimous(combine):
    one, two = np.full((10, 10), 2, np.uint8), np.zeros((10, 10), np.uint8)
    two[:2], two[0, :5] = 2, 3
    values, *_ = combine([one, two], method="majority")
    assert values["pixels"] == 100 and values["unanimous_share"] == pytest.approx(15 / 20)
    assert any(
        note.startswith("80.0% of the pixels have one vote only") for note in values["notes"]
    )


@pytest.mark.parametrize("count, k", [(2, 2), (3, 4), (5, 3), (8, 6)])
def test_majority_is_that_of_simpleitk(combine, count, k):
    import SimpleITK

    rng = np.random.default_rng(count)
    planes = [rng.integers(1, k + 1, (40, 50)).astype(np.uint8) for _ in range(count)]
    values, classes, posterior, share = combine(planes, method="majority")
    images = [SimpleITK.GetImageFromArray(plane) for plane in planes]
    expected = SimpleITK.GetArrayFromImage(SimpleITK.LabelVoting(images, 255))
    np.testing.assert_array_equal(classes, expected)
    most = np.max([sum(plane == code for plane in planes) for code in range(1, k + 1)], axis=0)
    np.testing.assert_array_equal(share, np.round(most * 100 / count))
    np.testing.assert_array_equal(posterior, share)
    assert values["undecided_share"] == pytest.approx((expected == 255).mean())
    assert values["unanimous_share"] == pytest.approx((most == count).mean())
    assert values["agreement_mean"] == pytest.approx(most.mean() / count)


def test_missing_votes_do_not_count(combine):
    planes = [np.array([[1, 1, 0, 0, 255, 2]]), np.array([[1, 2, 2, 0, 1, 0]]),
              np.array([[2, 0, 0, 255, 1, 0]])]  # fmt: skip
    planes = [plane.astype(np.uint8) for plane in planes]
    values, classes, posterior, share = combine(planes, method="majority")
    assert classes.tolist() == [[1, 255, 2, 0, 1, 2]]
    assert share.tolist() == [[67, 50, 100, 0, 100, 100]]
    assert posterior.tolist() == [[67, 50, 100, 0, 100, 100]]
    assert values["pixels"] == 5 and [a["votes"] for a in values["annotators"]] == [3, 4, 2]


def slow_dawid_skene(planes, k, rounds):
    """Dawid and Skene 1979, a pixel at a time; returns posteriors (pixels, k) and confusion."""
    pixels = list(zip(*(plane.ravel().tolist() for plane in planes)))
    truth = []
    for pixel in pixels:
        row = [float(sum(v == c + 1 for v in pixel)) for c in range(k)]
        truth.append([v / sum(row) for v in row])
    for _ in range(rounds):
        prior = [sum(t[c] for t in truth) / len(pixels) for c in range(k)]
        confusion = []
        for a in range(len(planes)):
            matrix = [[1.0 / k + (2.0 if c == d else 0.0) for d in range(k)] for c in range(k)]
            for pixel, t in zip(pixels, truth):
                if pixel[a] > 0:
                    for c in range(k):
                        matrix[c][pixel[a] - 1] += t[c]
            confusion.append([[v / sum(row) for v in row] for row in matrix])
        truth = []
        for pixel in pixels:
            chances = list(prior)
            for a, vote in enumerate(pixel):
                if vote > 0:
                    chances = [p * confusion[a][c][vote - 1] for c, p in enumerate(chances)]
            truth.append([p / sum(chances) for p in chances])
    return np.array(truth), np.array(confusion)


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_dawid_skene_is_that_of_plain_slow_code(missing):
    truth = np.random.default_rng(7).integers(1, 4, 300)
    planes = annotators(truth, [careful(3, s) for s in (0.9, 0.8, 0.6, 0.5)], 8, missing)
    seen = np.any(planes, axis=0)
    planes = [plane[seen] for plane in planes]
    patterns = patterns_of(planes, 3)
    result = aggregate.dawid_skene(patterns)
    assert result.method == "dawidskene" and 3 < result.iterations < 200
    expected, confusion = slow_dawid_skene(planes, 3, result.iterations)
    np.testing.assert_allclose(result.confusion, confusion, atol=1e-6)
    place = {tuple(v): i for i, v in enumerate((patterns.votes + 1).tolist())}
    for pixel, chances in zip(zip(*(plane.tolist() for plane in planes)), expected):
        index = place[pixel]
        assert result.posterior[index] == pytest.approx(chances.max(), abs=1e-6)
        assert chances[result.winner[index]] == pytest.approx(chances.max(), abs=1e-6)


def test_dawid_skene_finds_the_annotators_that_made_the_votes(combine):
    k, size = 4, (200, 200)
    truth = np.random.default_rng(3).choice([1, 2, 3, 4], size, p=[0.4, 0.3, 0.2, 0.1])
    biased = careful(k, 0.85)
    biased[1] = [0.0, 0.3, 0.7, 0.0]  # takes class 2 for class 3
    matrices = [careful(k, 0.95), careful(k, 0.85), careful(k, 0.6), biased]
    planes = annotators(truth, matrices, missing=0.05)
    values, classes, posterior, _ = combine(planes)
    for entry, matrix in zip(values["annotators"], matrices):
        np.testing.assert_allclose(entry["confusion"], matrix, atol=0.03)
        expected = float((np.bincount(truth.ravel())[1:] / truth.size * matrix.diagonal()).sum())
        assert entry["accuracy"] == pytest.approx(expected, abs=0.02)
    _, majority, _, _ = combine(planes, name="m", method="majority")
    right, plain = (classes == truth).mean(), (majority == truth).mean()
    assert right > 0.96 and right > plain + 0.02
    sure = posterior >= 99
    assert (classes == truth)[sure].mean() > 0.985
    assert (classes == truth).mean() == pytest.approx(values["posterior_mean"], abs=0.01)


def test_switched_labels_fall_back_to_the_majority():
    truth = np.random.default_rng(1).integers(1, 3, 4000)
    planes = annotators(truth, [careful(2, 0.9)] + [careful(2, 0.5)] * 2)
    result = aggregate.dawid_skene(patterns_of([3 - truth, truth, 3 - truth], 2))
    assert result.method == "dawidskene", "two agreeing liars cannot be told from the truth"
    noise = np.random.default_rng(2).integers(1, 7, (5, 4000))
    result = aggregate.dawid_skene(patterns_of(list(noise), 6))
    assert result.method == "majority" and "worse than chance" in result.notes[0]
    assert aggregate.dawid_skene(patterns_of(planes, 2)).method == "dawidskene"


def test_two_annotators_are_too_few_and_that_is_said(combine):
    planes = [np.array([[1, 2, 1]], np.uint8), np.array([[1, 1, 0]], np.uint8)]
    values, classes, _, _ = combine(planes, method="dawidskene")
    assert classes.tolist() == [[1, 255, 1]]
    assert values["method"] == "majority" and values["asked"] == "dawidskene"
    assert any("needs three annotators" in note for note in values["notes"])


def test_gold_makes_a_careless_majority_lose(combine):
    truth = np.random.default_rng(5).integers(1, 4, (60, 60)).astype(np.uint8)
    matrices = [careful(3, 0.95), careful(3, 0.4), careful(3, 0.4)]
    planes = annotators(truth, matrices)
    gold = np.zeros_like(truth)
    gold[:20] = truth[:20]
    gold[0, 0] = 255
    values, classes, _, _ = combine(planes, method="gold", gold=gold)
    _, majority, _, _ = combine(planes, name="m", method="majority")
    rest = slice(20, None)
    assert (classes == truth)[rest].mean() > 0.93 > (majority == truth)[rest].mean() + 0.1
    np.testing.assert_allclose(values["annotators"][0]["confusion"], matrices[0], atol=0.05)


def test_gold_posteriors_are_those_of_bayes():
    patterns = votes.Patterns(np.array([[0, 1], [1, -1]], np.int16), np.array([1, 1]), np.arange(2))
    gold = np.array([[6.0, 2.0], [0.0, 3.0]])
    # Counts by hand: pseudo-votes 1/2 everywhere and 2 on the diagonal.
    first = np.array([[2.5 + 6, 0.5 + 0], [0.5 + 2, 2.5 + 3]])
    second = np.array([[2.5, 0.5 + 6], [0.5, 2.5 + 2]])
    first, second = (m / m.sum(axis=1, keepdims=True) for m in (first, second))
    prior = np.array([7.0, 6.0]) / 13
    expected = prior * first[:, 0] * second[:, 1]
    result = aggregate.gold_bayes(patterns, gold)
    assert result.posterior[0] == pytest.approx(expected.max() / expected.sum())
    expected = prior * first[:, 1]
    assert result.posterior[1] == pytest.approx(expected.max() / expected.sum())
    assert result.winner.tolist() == [0, 1]


@pytest.mark.parametrize(
    "more, words",
    [
        ({"method": "gold"}, "needs a GOLD raster"),
        ({"method": "gold", "gold": np.zeros((3, 3), np.uint8)}, "has no labelled pixel here"),
        ({"method": "gold", "gold": np.full((3, 3), 9, np.uint8)}, "gold.tif holds class 9"),
        ({"method": "staple"}, "'staple' is not known; use majority, dawidskene, gold"),
        ({"taxonomy": "water2"}, r"ann1\.tif holds class 3, which the taxonomy water2"),
    ],
)
def test_impossible_wishes_are_sentences(combine, tmp_path, more, words):
    planes = [np.full((3, 3), code, np.uint8) for code in (1, 3, 1)]
    with pytest.raises(ConcordError, match=words):
        combine(planes, **more)
    assert not (tmp_path / "c.tif").exists()


def test_one_annotator_or_none_is_a_sentence(combine):
    with pytest.raises(ConcordError, match="at least two annotators"):
        combine([np.ones((3, 3), np.uint8)])
    with pytest.raises(ConcordError, match="No annotation was given"):
        run.combine([], "x.tif")
    with pytest.raises(ConcordError, match="holds no class at all"):
        combine([np.zeros((3, 3), np.uint8)] * 3)


@pytest.mark.parametrize("method", ["majority", "dawidskene", "gold"])
def test_the_size_of_the_tiles_changes_nothing(combine, monkeypatch, tmp_path, method):
    truth = np.random.default_rng(2).integers(1, 5, (70, 90)).astype(np.uint8)
    planes = annotators(truth, [careful(4, s) for s in (0.9, 0.7, 0.6)], missing=0.1)
    gold = truth if method == "gold" else None
    combine(planes, name="a", method=method, gold=gold)
    monkeypatch.setattr(votes, "_TILE", 17)
    combine(planes, name="b", method=method, gold=gold)
    for end in ("", "-a"):
        one, other = (rasters.read(tmp_path / f"{name}{end}.tif") for name in "ab")
        np.testing.assert_array_equal(one, other)


def test_same_votes_same_bytes(combine, tmp_path):
    planes = annotators(np.ones((40, 40), int), [careful(3, 0.6)] * 3)
    for name in "ab":
        combine(planes, name=name)
    for end in (".tif", "-a.tif", ".tif.aux.xml"):
        assert (tmp_path / f"a{end}").read_bytes() == (tmp_path / f"b{end}").read_bytes()


def test_codes_need_not_be_dense_or_sorted(combine):
    planes = [np.array([[200, 3, 3]], np.uint8)] * 2 + [np.array([[200, 90, 3]], np.uint8)]
    for method in ("majority", "dawidskene"):
        values, classes, _, _ = combine(planes, name=method, method=method)
        assert classes.tolist() == [[200, 3, 3]]
        assert {c["code"]: c["pixels"] for c in values["classes"]} == {3: 2, 90: 0, 200: 1}


def test_annotations_on_another_grid_are_moved_and_that_is_said(combine, make_grid):
    fine = np.kron(np.array([[1, 2], [3, 4]]), np.ones((10, 10))).astype(np.uint8)
    coarse = np.array([[1, 2], [3, 4]], np.uint8)
    grids = [make_grid(20, 20), make_grid(2, 2, 100.0), make_grid(20, 20)]
    values, classes, _, share = combine([fine, coarse, fine], grids, method="majority")
    np.testing.assert_array_equal(classes, fine)
    assert (share == 100).all()
    moved = [note for note in values["notes"] if "was moved to the grid" in note]
    assert len(moved) == 1 and "ann1.tif" in moved[0]


def test_an_annotation_elsewhere_is_named(combine, make_grid):
    planes = [np.ones((10, 10), np.uint8)] * 3
    degrees = make_grid(10, 10, 1e-4, left=100.0, top=10.0, crs="EPSG:4326")
    for other in (make_grid(10, 10, left=900_000.0), degrees):
        grids = [make_grid(10, 10), other, make_grid(10, 10)]
        with pytest.raises(ConcordError, match=r"ann1\.tif does not overlap"):
            combine(planes, grids)


def test_the_output_says_what_its_bands_are(combine, tmp_path):
    combine([np.ones((4, 4), np.uint8)] * 3)
    info = rasters.info(tmp_path / "c.tif")
    assert info.names == ["class", "posterior"] and info.bands[1].unit == "percent"
    assert info.categories == {1: "class 1"} and info.bands[0].nodata == 0


def test_a_cancel_leaves_nothing(combine, tmp_path):
    with pytest.raises(Cancelled):
        combine([np.ones((4, 4), np.uint8)] * 3, progress=Progress(cancelled=lambda: True))
    assert not list(tmp_path.glob("c*.tif"))


def test_the_same_file_twice_was_two_annotators_of_one_mind(tmp_path):
    grid = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 56e5), 4, 3)
    path = tmp_path / "one.tif"
    rasters.write(path, np.ones((3, 4), np.uint8), grid)
    with pytest.raises(ConcordError, match="one.tif is given twice"):
        run.combine([str(path), str(path)], str(tmp_path / "out.tif"))
    assert not (tmp_path / "out.tif").exists()


def test_annotators_whose_tables_name_the_codes_differently_are_told(tmp_path):
    grid = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 56e5), 4, 3)
    votes = np.array([[1, 1, 2, 2]] * 3, np.uint8)
    tables = {"a": {1: "water", 2: "built"}, "b": {1: "built", 2: "water"}, "c": {1: "water"}}
    for name, table in tables.items():
        rasters.write(tmp_path / f"{name}.tif", votes, grid, nodata=0, categories=table)
    paths = [str(tmp_path / f"{name}.tif") for name in tables]
    told, _ = run.combine(paths, str(tmp_path / "out.tif"))
    notes = [note for note in told["notes"] if "other class names" in note]
    assert len(notes) == 1 and "b.tif" in notes[0] and "c.tif" not in notes[0]
