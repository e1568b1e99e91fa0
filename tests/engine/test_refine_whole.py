"""Refinement of a whole map: tiles, cells, resuming after a kill, threads, inputs that are odd."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from concord.plugin.engine import rasters
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid
from concord.plugin.engine.refine import desk, engines, partition, run

UTM = "EPSG:32632"
ENGINES = sorted(set(engines.DESCRIPTIONS) - {"prompt"})


def grid(width, height, size=10.0, left=5e5, top=5e6, crs=UTM):
    return Grid(crs, (size, 0.0, left, 0.0, -size, top), width, height)


def scene(folder, rows=150, cols=190, seed=0):
    """(image path, labels path, truth): four classes in smooth shapes, 8 % speckle, blobs."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:rows, 0:cols]
    field = np.sin(x / 17) + np.cos(y / 13) + 0.5 * np.sin((x + y) / 29)
    truth = (np.digitize(field, [-0.7, 0.2, 1.0]) + 1).astype(np.uint8)
    means = np.array([[0, 0, 0], [60, 120, 30], [120, 60, 160], [200, 190, 90], [90, 200, 220]])
    bands = means[truth].transpose(2, 0, 1) + rng.normal(0, 12, (3, rows, cols))
    noisy = np.where(rng.random(truth.shape) < 0.08, rng.integers(1, 5, truth.shape), truth)
    noisy[40:60, 50:80] = 1
    image, labels = str(folder / "image.tif"), str(folder / "labels.tif")
    rasters.write(image, bands.clip(1, 255).astype(np.uint8), grid(cols, rows),
                  names=["red", "green", "nir"], units=["DN"] * 3)  # fmt: skip
    rasters.write(labels, noisy.astype(np.uint8), grid(cols, rows), nodata=0)
    return image, labels, truth


@pytest.mark.parametrize("engine", ENGINES)
def test_the_tile_size_changes_neither_map_nor_proposals(tmp_path, engine, monkeypatch):
    monkeypatch.setattr(partition, "CELL", 64)  # several cells, so that lines are crossed
    image, labels, _ = scene(tmp_path)
    found = {}
    for tile in (48, 75, 1024):
        output = str(tmp_path / f"{tile}.tif")
        values, _, proposals = run.refine([image], labels, output, engine=engine, tile=tile)
        told = [{k: v for k, v in p.items() if k != "confidence"} for _, p in proposals]
        found[tile] = rasters.read(output)[0], told, values["held_back"]
    for tile in (48, 75):
        np.testing.assert_array_equal(found[tile][0], found[1024][0])
        assert found[tile][1:] == found[1024][1:]


def test_a_region_across_cells_and_sheets_has_one_answer_and_one_proposal(tmp_path, monkeypatch):
    from concord.plugin.engine.refine import proposals as drawing

    monkeypatch.setattr(partition, "CELL", 32)
    monkeypatch.setattr(drawing, "_SHEET", 32)
    labels = np.ones((100, 110), np.uint8)
    labels[20:80, 20:90] = 2  # an object over 3 by 3 cells
    bands = np.random.default_rng(0).normal(50, 1, (3, 100, 110)).astype(np.float32)
    image, path = str(tmp_path / "i.tif"), str(tmp_path / "l.tif")
    rasters.write(image, bands, grid(110, 100), names=["a", "b", "c"])
    rasters.write(path, labels, grid(110, 100), nodata=0)
    engine = partition.Partition(lambda p: (p.labels == 2).astype(np.int32),
                                 partition.votes_of, exact=True)  # fmt: skip
    from concord.plugin.engine.refine.source import ArraySource

    source = ArraySource(bands, labels)
    engine.prepare(source)
    numbers = engine.numbers(grid(110, 100).window)
    inside = np.unique(numbers[labels == 2])
    assert len(inside) == 1 and engine.sums[inside[0]].tolist() == [0, 60 * 70]
    monkeypatch.setattr(desk, "engine_of", lambda *a, **k: Swap())
    _, _, proposals = run.refine([image], path, str(tmp_path / "o.tif"), tile=25, objects=False)
    ((shape, told),) = proposals
    assert told["pixels"] == 60 * 70 and shape["type"] == "MultiPolygon"
    burnt = rasters.burn([(shape, 1)], grid(110, 100))
    np.testing.assert_array_equal(burnt == 1, labels == 2)


class Swap:
    """Proposes class 1 for class 2."""

    id, halo, settings = "swap", 0, ""

    def prepare(self, source, progress=None):
        pass

    def propose(self, patch):
        from concord.plugin.engine.refine.opinion import Opinion

        new = np.where(patch.labels == 2, 1, patch.labels).astype(np.uint8)
        lead = (new != patch.labels).astype(np.float32)
        return Opinion(new, lead, lead)


def test_threads_write_the_same_bytes(tmp_path):
    image, labels, _ = scene(tmp_path)
    for name in ("local", "local:3"):
        run.refine([image], labels, str(tmp_path / f"{name[-1]}.tif"), engine="fused", tile=40,
                   executor=name)  # fmt: skip
    assert (tmp_path / "l.tif").read_bytes() == (tmp_path / "3.tif").read_bytes()


SLOW = """
    import sys, time
    from concord.plugin.engine.refine import run
    answer = run.answer
    def slow(job, tile):
        time.sleep(0.1)
        return answer(job, tile)
    run.answer = slow
    run.refine([sys.argv[1]], sys.argv[2], sys.argv[3], engine="felzenszwalb", tile=32)
"""


def test_a_killed_run_resumes_and_ends_with_the_same_bytes(tmp_path):
    image, labels, _ = scene(tmp_path)
    whole, output = str(tmp_path / "whole.tif"), str(tmp_path / "killed.tif")
    run.refine([image], labels, whole, engine="felzenszwalb", tile=32)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", textwrap.dedent(SLOW), image, labels, output]
    process = subprocess.Popen(command, env=env)
    journal = tmp_path / ".killed.journal"
    end = time.monotonic() + 60
    while len(list(journal.glob("tile_*.npz"))) < 4 and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = len(list(journal.glob("tile_*.npz")))
    assert 4 <= done < 30 and not os.path.exists(output)
    values, _, proposals = run.refine([image], labels, output, engine="felzenszwalb", tile=32)
    assert values["resumed_tiles"] == done
    assert open(output, "rb").read() == open(whole, "rb").read()
    assert proposals and not journal.exists()


def test_a_journal_of_other_settings_is_not_used(tmp_path):
    from concord.plugin.engine.refine.journal import Journal

    first = Journal(str(tmp_path / "o.tif"), {"margin": 0.1})
    first.put(0, {"after": np.zeros(3)})
    assert Journal(str(tmp_path / "o.tif"), {"margin": 0.1}).resumed == 1
    assert Journal(str(tmp_path / "o.tif"), {"margin": 0.2}).resumed == 0


# --- guards


def objects_scene(tmp_path, contrast):
    """A pond of 25 pixels in a field; the engine would remove it."""
    labels = np.ones((60, 60), np.uint8)
    labels[30:35, 30:35] = 2
    bands = np.random.default_rng(0).normal(100, 2, (3, 60, 60))
    bands[:, labels == 2] += contrast
    image, path = str(tmp_path / "i.tif"), str(tmp_path / "l.tif")
    rasters.write(image, bands.astype(np.float32), grid(60, 60), names=["a", "b", "c"])
    rasters.write(path, labels, grid(60, 60), nodata=0)
    return image, path, labels


@pytest.mark.parametrize("contrast, kept", [(30.0, 25), (0.0, 0)])
def test_a_small_object_that_the_image_shows_is_kept(tmp_path, monkeypatch, contrast, kept):
    monkeypatch.setattr(desk, "engine_of", lambda *a, **k: Swap())
    image, path, labels = objects_scene(tmp_path, contrast)
    values, _, _ = run.refine([image], path, str(tmp_path / "o.tif"))
    assert values["held_back"]["small_object"] == kept
    assert values["changed"] == 25 - kept
    values, _, _ = run.refine([image], path, str(tmp_path / "p.tif"), objects=False)
    assert values["changed"] == 25


def test_no_patch_under_the_mapping_unit_is_made(tmp_path, monkeypatch):
    class Dots(Swap):
        def propose(self, patch):
            from concord.plugin.engine.refine.opinion import Opinion

            new = patch.labels.copy()
            rows = np.arange(patch.window.row, patch.window.row + patch.window.height)
            cols = np.arange(patch.window.col, patch.window.col + patch.window.width)
            small = np.ix_((rows % 20) < 2, (cols % 20) < 2)
            new[small] = 2
            lead = (new != patch.labels).astype(np.float32)
            return Opinion(new, lead, lead)

    monkeypatch.setattr(desk, "engine_of", lambda *a, **k: Dots())
    image, path, labels = objects_scene(tmp_path, 0.0)
    free, _, _ = run.refine([image], path, str(tmp_path / "a.tif"))
    values, _, _ = run.refine([image], path, str(tmp_path / "b.tif"), smallest=5, tile=17)
    assert free["changed"] > 0 and values["changed"] == 0
    assert values["held_back"]["mapping_unit"] == free["changed"]
    with pytest.raises(ConcordError, match="mapping unit of 500 pixels is too large"):
        run.refine([image], path, str(tmp_path / "c.tif"), smallest=500)


# --- odd inputs


@pytest.mark.parametrize("engine", ["auto", "guided", "watershed", "outdated", "shift"])
@pytest.mark.parametrize("size", [35.0, 2.5])
def test_coarser_and_finer_maps(tmp_path, engine, size):
    image, _, _ = scene(tmp_path, 60, 80)
    rows, cols = int(600 / size), int(800 / size)
    labels = np.ones((rows, cols), np.uint8)
    labels[:, cols // 2 :] = 2
    path = str(tmp_path / "map.tif")
    rasters.write(path, labels, grid(cols, rows, size), nodata=0)
    values, _, _ = run.refine([image], path, str(tmp_path / "o.tif"), engine=engine)
    finest = min(size, 10.0)
    assert values["grid"]["pixel_size"] == [finest, finest]


@pytest.mark.parametrize("engine", ["fused", "felzenszwalb", "outdated"])
def test_a_map_in_degrees(tmp_path, engine):
    image, _, _ = scene(tmp_path, 60, 80)
    box = rasters.transform_bounds(grid(80, 60).bounds, UTM, "EPSG:4326")
    step = (box[2] - box[0]) / 40
    place = Grid("EPSG:4326", (step, 0, box[0], 0, -step, box[3]), 40, 25)
    labels = np.ones((25, 40), np.uint8)
    labels[:, 20:] = 2
    path = str(tmp_path / "map.tif")
    rasters.write(path, labels, place, nodata=0)
    values, _, _ = run.refine([image], path, str(tmp_path / "o.tif"), engine=engine)
    assert {c["code"] for c in values["classes"]} == {1, 2}


def test_palette_float_and_strange_codes(tmp_path):
    image, _, truth = scene(tmp_path, 60, 80)

    def put(name, array, **more):
        path = str(tmp_path / name)
        rasters.write(path, array, grid(80, 60), **more)
        return path

    palette = put("p.tif", truth, nodata=0, colours={1: (255, 0, 0), 2: (0, 255, 0)})
    output = str(tmp_path / "o.tif")
    run.refine([image], palette, output, engine="potts")
    assert rasters.info(output).colours[1] == (255, 0, 0)
    whole = put("f.tif", truth.astype(np.float32), nodata=np.nan)
    run.refine([image], whole, str(tmp_path / "q.tif"), engine="potts")
    fractions = put("g.tif", truth + np.float32(0.5))
    with pytest.raises(ConcordError, match="holds fractions"):
        run.refine([image], fractions, output + "2.tif", engine="potts")
    many = put("m.tif", np.arange(4800).reshape(60, 80).astype(np.uint16))
    with pytest.raises(ConcordError, match="class codes are 1-254"):
        run.refine([image], many, output + "3.tif", engine="potts")
    empty = put("e.tif", np.zeros((60, 80), np.uint8), nodata=0)
    with pytest.raises(ConcordError, match="holds no class"):
        run.refine([image], empty, output + "4.tif", engine="potts")


def test_a_missing_scikit_learn_is_a_sentence_and_auto_still_works(tmp_path, monkeypatch):
    from concord.plugin.engine import packages

    missing = packages.missing
    monkeypatch.setattr(
        packages, "missing", lambda *names: [n for n in names if n == "sklearn" or missing(n)]
    )
    image, labels, truth = scene(tmp_path)
    for engine in ("fused", "confident"):
        with pytest.raises(ConcordError, match="scikit-learn"):
            run.refine([image], labels, str(tmp_path / "o.tif"), engine=engine)
    assert not (tmp_path / "o.tif").exists() and not list(tmp_path.glob(".*.journal"))
    values, _, _ = run.refine([image], labels, str(tmp_path / "o.tif"), engine="auto")
    assert values["noise"]["kind"] == "speckle"


def test_examples_teach(tmp_path):
    image, labels, truth = scene(tmp_path)
    swapped = np.where(truth == 1, 2, truth)  # class 1 is missing from the map altogether
    rasters.write(labels, swapped.astype(np.uint8), grid(190, 150), nodata=0,
                  categories={1: "a", 2: "b", 3: "c", 4: "d"})  # fmt: skip
    some = np.zeros(truth.shape, np.uint8)
    some[:, :60] = truth[:, :60]
    known = str(tmp_path / "known.tif")
    rasters.write(known, some, grid(190, 150), nodata=0)
    rasters.write(str(tmp_path / "truth.tif"), truth, grid(190, 150), nodata=0)
    values, _, _ = run.refine([image], labels, str(tmp_path / "o.tif"), engine="auto",
                              examples=known, reference=str(tmp_path / "truth.tif"))  # fmt: skip
    assert values["noise"]["kind"] == "by example"
    assert values["quality"]["accuracy_before"] < 0.9 < values["quality"]["accuracy_after"]
    with pytest.raises(ConcordError, match="cannot learn from examples"):
        run.refine([image], labels, str(tmp_path / "o.tif"), engine="mode", examples=known)
