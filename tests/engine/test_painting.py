"""Painting over a class raster: steps, undo, what survives a crash, and the saved map."""

from __future__ import annotations

import json
import shutil
import tracemalloc

import numpy as np
import pytest
from scipy import ndimage

from concord.plugin.engine import files, rasters
from concord.plugin.engine.errors import Cancelled, ConcordError
from concord.plugin.engine.grid import Grid, Window
from concord.plugin.engine.labels import ClassRaster
from concord.plugin.engine.paint import painting, region, saving
from concord.plugin.engine.progress import Progress

SIDE, PIXEL, LEFT, TOP = 300, 10.0, 500_000.0, 5_400_000.0
GRID = Grid("EPSG:32632", (PIXEL, 0.0, LEFT, 0.0, -PIXEL, TOP), SIDE, SIDE)
TOLD = {"title": "brush", "name": "water", "colour": "#0000ff", "by": "ana", "at": "2026-11-20"}


@pytest.fixture
def labels(tmp_path):
    codes = np.ones((SIDE, SIDE), np.uint8)
    codes[100:200, 100:200] = 2
    codes[:5] = 0
    path = tmp_path / "map.tif"
    rasters.write(path, codes, GRID, nodata=0, colours={1: (0, 128, 0), 2: (200, 0, 0)},
                  categories={1: "forest", 2: "town"})  # fmt: skip
    return str(path)


@pytest.fixture
def paint(labels):
    paint = painting.Painting(labels)
    yield paint
    paint.close()


def box(col, row, width, height):
    corners = [(col, row), (col + width, row), (col + width, row + height), (col, row + height)]
    ring = [GRID.xy(*corner) for corner in [*corners, corners[0]]]
    return {"type": "Polygon", "coordinates": [[list(spot) for spot in ring]]}


def whole(paint):
    return paint.read(GRID.window)


def test_a_step_changes_its_pixels_and_not_the_file(paint, labels):
    before, digest = whole(paint), files.sha256(labels)
    assert paint.paint([box(10, 20, 4, 3)], 7, TOLD) == 12
    expected = before.copy()
    expected[20:23, 10:14] = 7
    assert (whole(paint) == expected).all() and files.sha256(labels) == digest


def test_undo_and_redo_go_step_by_step(paint):
    states = [whole(paint)]
    for number in range(4):
        paint.paint([box(10 + 3 * number, 20, 6, 6)], 5 + number, TOLD)
        states.append(whole(paint))
    for state in states[-2::-1]:
        assert paint.undo() is not None and (whole(paint) == state).all()
    assert paint.undo() is None and not paint.modified
    for state in states[1:]:
        assert paint.redo() is not None and (whole(paint) == state).all()
    assert paint.redo() is None
    paint.undo()
    paint.paint([box(50, 50, 2, 2)], 9, TOLD)
    assert paint.redo() is None


def test_what_changes_nothing_is_no_step(paint):
    assert paint.paint([box(10, 20, 4, 3)], 1, TOLD) == 0
    assert not paint.modified and not paint.journal.path.exists()


def test_free_leaves_labels_alone(paint):
    assert paint.paint([box(10, 0, 4, 10)], 7, TOLD, free=True) == 20
    assert (paint.read(Window(10, 5, 4, 5)) == 1).all()


def test_a_brush_thinner_than_a_pixel_leaves_no_gaps(paint):
    thin = box(10.2, 20.2, 30, 0.1)
    way = {"type": "LineString", "coordinates": [GRID.xy(10.2, 20.25), GRID.xy(40.2, 20.25)]}
    assert paint.paint([thin], 7, TOLD) == 0
    assert paint.paint([thin], 7, TOLD, way=way) == 31


def test_fill_takes_one_region(paint):
    assert paint.fill(*GRID.xy(150.5, 150.5), 8, TOLD) == 10_000
    assert (paint.read(Window(100, 100, 100, 100)) == 8).all()
    assert (whole(paint) == 8).sum() == 10_000


def test_a_region_larger_than_the_first_look_is_filled_whole(paint):
    assert paint.fill(*GRID.xy(3, 250), 8, TOLD) == SIDE * SIDE - 10_000 - 5 * SIDE


def test_a_region_that_reaches_far_is_left_to_the_background(paint, monkeypatch):
    monkeypatch.setattr(painting, "NEAR", 256)
    assert paint.fill_near(*GRID.xy(3, 250), 8, TOLD) is None and not paint.modified
    assert paint.fill_near(*GRID.xy(150, 150), 8, TOLD) == 10_000


@pytest.mark.parametrize("tile", [16, 100, 1024])
def test_a_fill_stopped_1024_pixels_from_the_click(tmp_path, monkeypatch, tile):
    """It goes on from tile to tile, also back into one, and knows where the region ends."""
    monkeypatch.setattr(region, "TILE", tile)
    codes = np.where(np.random.default_rng(3).random((SIDE, SIDE)) < 0.62, 1, 2).astype(np.uint8)
    codes[:, 150] = 3
    path = str(tmp_path / "maze.tif")
    rasters.write(path, codes, GRID, nodata=0)
    parts, _ = ndimage.label(codes == 1)
    largest = np.bincount(parts[:, :150].ravel())[1:].argmax() + 1
    row, col = np.argwhere(parts == largest)[0]
    maze = painting.Painting(path)
    assert maze.fill(*GRID.xy(col + 0.5, row + 0.5), 9, TOLD) == (parts == largest).sum()
    assert ((whole(maze) == 9) == (parts == largest)).all()
    filled = whole(maze)
    again = painting.Painting(path, joins=True)
    assert (whole(again) == filled).all()
    maze.undo()
    assert (whole(maze) == codes).all()
    maze.redo()
    again.catch_up()
    assert again.journal.place == 1 and (whole(again) == filled).all()
    out = str(tmp_path / "out.tif")
    assert saving.save(path, str(maze.journal.path), out)["steps"] == 1
    assert (rasters.read(out)[0] == filled).all()
    maze.close()
    again.close()


def test_a_fill_that_is_cancelled_leaves_nothing(paint, monkeypatch):
    monkeypatch.setattr(region, "TILE", 50)
    asked = iter([False] * 3 + [True] * 9)
    with pytest.raises(Cancelled):
        paint.fill(*GRID.xy(3, 250), 8, TOLD, Progress(None, lambda: next(asked)))
    assert not paint.modified and not paint.journal.path.exists()


def test_outside_the_map_and_too_large_are_sentences(paint, monkeypatch):
    with pytest.raises(ConcordError, match="does not overlap"):
        paint.paint([box(-20, -20, 5, 5)], 1, TOLD)
    with pytest.raises(ConcordError, match="no pixel of the map"):
        paint.fill(0, 0, 1, TOLD)
    monkeypatch.setattr(painting, "LARGEST", 1000)
    with pytest.raises(ConcordError, match="zoom in"):
        paint.paint([box(0, 0, 100, 100)], 3, TOLD)


def test_painting_survives_a_kill(paint, labels, tmp_path):
    paint.paint([box(10, 20, 4, 3)], 7, TOLD)
    paint.paint([box(12, 20, 4, 3)], 9, TOLD)
    paint.undo()
    state = whole(paint)
    # What a kill leaves: a last line cut short, and a sparse raster in any state.
    with paint.journal.path.open("a") as file:
        file.write('{"window": [1, 2')
    shutil.copy(labels, f"{paint.journal.path}.tif")
    again = painting.Painting(labels)
    assert (whole(again) == state).all() and again.modified
    assert again.redo() is not None and (again.read(Window(14, 20, 2, 3)) == 9).all()
    again.close()


def test_a_map_written_anew_is_not_painted_on_with_old_steps(paint, labels):
    paint.paint([box(10, 20, 4, 3)], 7, TOLD)
    rasters.write(labels, np.ones((SIDE, SIDE), np.uint8), GRID)
    with pytest.raises(ConcordError, match="written anew"):
        painting.Painting(labels)


def test_the_vrt_shows_both(paint):
    paint.paint([box(10, 20, 4, 3)], 7, TOLD)
    paint.paint([box(150, 150, 4, 3)], 0, TOLD)
    assert (rasters.read(paint.vrt)[0] == whole(paint)).all()


def test_the_saved_map_has_palette_names_and_provenance(paint, labels, tmp_path):
    paint.paint([box(10, 20, 4, 3)], 7, TOLD)
    paint.paint([box(12, 20, 4, 3)], 2, {**TOLD, "title": "prompt", "name": "town", "by": "bo"})
    paint.paint([box(60, 60, 4, 3)], 2, TOLD)
    paint.undo()
    out = str(tmp_path / "new.tif")
    done = saving.save(labels, str(paint.journal.path), out)
    assert (rasters.read(out)[0] == whole(paint)).all()
    assert done["pixels"] == 18 and done["classes"] == {2: 12, 7: 6} and done["steps"] == 2
    told = rasters.info(out)
    assert told.categories == {1: "forest", 2: "town", 7: "water"}
    assert told.colours[7][:3] == (0, 0, 255) and told.colours[1][:3] == (0, 128, 0)
    made = json.loads(told.tags[saving.TAG])
    assert made["labels_sha256"] == files.sha256(labels) and made["annotators"] == ["ana", "bo"]


def test_the_map_itself_is_not_written_over(paint, labels):
    paint.paint([box(10, 20, 4, 3)], 7, TOLD)
    with pytest.raises(ConcordError, match="the map itself"):
        saving.save(labels, str(paint.journal.path), labels)


def test_forget_leaves_nothing_behind(paint, labels, tmp_path):
    paint.paint([box(10, 20, 4, 3)], 7, TOLD)
    paint.forget()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["map.tif", "map.tif.aux.xml"]


def test_a_large_map_is_painted_and_saved_by_windows(tmp_path):
    side = 6000
    grid = Grid("EPSG:32632", (PIXEL, 0.0, LEFT, 0.0, -PIXEL, TOP), side, side)
    path = str(tmp_path / "large.tif")
    with rasters.Writer(path, grid, 1, "uint8", nodata=0) as writer:
        for tile in grid.tiles(1000):
            writer.write(np.full((tile.core.height, tile.core.width), 3, np.uint8), tile.core)
    tracemalloc.start()
    paint = painting.Painting(path)
    paint.paint([box(5900, 5900, 50, 50)], 7, TOLD)
    saving.save(path, str(paint.journal.path), str(tmp_path / "out.tif"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < side * side / 2
    size = (tmp_path / "large.tif.concord-painting.tif").stat().st_size
    assert size < 3_000_000  # the tiles that were painted, not 72 MB
    with ClassRaster(str(tmp_path / "out.tif")) as out:
        assert (out.read(Window(5900, 5900, 50, 50)) == 7).all()
    paint.close()
