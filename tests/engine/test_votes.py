"""Vote patterns as whole numbers, and Fleiss' kappa."""

from __future__ import annotations

import numpy as np
import pytest

from concord.plugin.engine.consensus import run, votes
from concord.plugin.engine.errors import ConcordError


def test_too_many_patterns_for_one_number_are_refused(put):
    path = put("a.tif", np.ones((2, 2), np.uint8))
    with pytest.raises(ConcordError, match="too many for one consensus"):
        votes.Ballot([path] * 30, range(1, 200))


def test_patterns_survive_coding_at_the_limit(put):
    path = put("a.tif", np.ones((2, 2), np.uint8))
    with votes.Ballot([path] * 8, range(1, 200)) as ballot:
        planes = np.random.default_rng(1).integers(-1, 199, (8, 1, 500))
        numbers = ballot.encode(planes)
        np.testing.assert_array_equal(ballot.decode(numbers[0]), planes[:, 0].T)
        assert numbers.min() >= 0


def test_kappa_is_that_of_fleiss_example():
    """The table of Fleiss 1971 as worked through in textbooks: 10 subjects, 14 raters, 0.210."""
    table = [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]  # fmt: skip
    rows = [np.repeat(np.arange(5), row) for row in table]
    patterns = votes.Patterns(np.array(rows, np.int16), np.ones(10, int), np.arange(5))
    assert run.fleiss_kappa(patterns) == pytest.approx(0.2099, abs=1e-4)
    doubled = votes.Patterns(patterns.votes, patterns.counts * 2, patterns.codes)
    assert run.fleiss_kappa(doubled) == pytest.approx(0.2099, abs=1e-4)


@pytest.mark.parametrize(
    "rows, kappa",
    [([[0, 0], [1, 1]], 1.0), ([[0, 0]], None), ([[0, -1]], None), ([[0, 1], [1, 0]], -1.0)],
)
def test_kappa_at_its_ends(rows, kappa):
    patterns = votes.Patterns(np.array(rows, np.int16), np.ones(len(rows), int), np.arange(2))
    assert run.fleiss_kappa(patterns) == kappa
