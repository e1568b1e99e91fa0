"""Run lengths against pycocotools, and what is no run length."""

from __future__ import annotations

import numpy as np
import pytest

from concord.plugin.engine.campaign import runs


@pytest.mark.parametrize("seed", range(6))
def test_compressed_runs_are_decoded_as_pycocotools_does(seed):
    from pycocotools import mask as oracle

    rng = np.random.default_rng(seed)
    rows, cols = (int(n) for n in rng.integers(1, 300, 2))
    drawn = rng.random((rows, cols)) < rng.choice([0.01, 0.3, 0.99])
    drawn[: rows // 2] = seed % 2
    packed = oracle.encode(np.asfortranarray(drawn.astype(np.uint8)))
    segmentation = {"size": packed["size"], "counts": packed["counts"].decode()}
    assert np.array_equal(runs.of_coco(segmentation, (rows, cols)), drawn)
    loose = {"size": packed["size"], "counts": runs.of_text(segmentation["counts"])}
    assert np.array_equal(runs.of_coco(loose, (rows, cols)), drawn)


@pytest.mark.parametrize(
    "counts", ["\u0020\u0020", "o", [5, 5], [-1, 10], ["a"], "ooooooooooooooooooooo1"]
)
def test_what_is_no_run_length_is_refused(counts):
    with pytest.raises((ValueError, TypeError)):
        runs.of_coco({"size": [3, 3], "counts": counts}, (3, 3))
