"""concord:runmodel and concord:modelcard with a graph whose answer is known exactly."""

from __future__ import annotations

import json

import numpy as np
import pytest
from algorithms import makers
from qgis.core import QgsProcessingUtils
from scipy import ndimage

from concord.plugin.engine import files, rasters
from concord.plugin.engine.grid import Grid

BANDS = ("green", "nir")


@pytest.fixture(scope="module")
def mean5(tmp_path_factory) -> str:
    """A model whose class is the band with the larger 5 x 5 mean, tiles of 32 with halo 2."""
    return makers.model(tmp_path_factory.mktemp("models") / "mean5.onnx", makers.card(BANDS))


@pytest.fixture
def run(run_algorithm, place, mean5):
    def go(**parameters):
        given = {"INPUT": [place.image], "MODEL": mean5, "OUTPUT": place.target("map.tif")}
        return run_algorithm("concord:runmodel", {**given, **parameters})

    return go


def expected(path: str) -> np.ndarray:
    """(2, rows, cols) means of the whole image at once, zeros outside it as in the graph."""
    planes = makers.look(path).values[[makers.BANDS.index(band) for band in BANDS]]
    return np.stack([ndimage.uniform_filter(p, 5, mode="constant") for p in planes])


def test_tiles_show_no_seam_and_the_grid_is_exact(run, place):
    results = run()
    found, given = makers.look(results["OUTPUT"]), makers.look(place.image)
    assert found.transform == given.transform and found.epsg == "32632"
    assert found.nodata == [0] and found.values.dtype == np.uint8
    means = expected(place.image)
    clear = abs(means[0] - means[1]) > 1e-6
    assert (found.values[0] == means.argmax(axis=0) + 1)[clear].all()
    assert found.categories[1:3] == ["most green", "most nir"]
    names = {path.name for path in place.out.iterdir()}
    assert names == {"map.tif", "map.tif.aux.xml"} and set(results) == {"OUTPUT"}


def test_a_level_is_told_to_the_bundled_model_and_refused_by_others(run, run_algorithm, place):
    rng, told = np.random.default_rng(4), {}
    picture, names = place.target("s2.tif"), ["blue", "green", "red", "nir"]
    grid = Grid(makers.CRS, (10.0, 0.0, 5e5, 0.0, -10.0, 5.6e6), 64, 64)
    values = (0.05 + 0.1 * rng.random((4, 64, 64))).astype(np.float32)
    values[0] = 0.05 + 0.4 * values[2] + 0.02  # the air's blue is in it
    rasters.write(picture, values, grid, names=names, units=["reflectance"] * 4)
    given = {"INPUT": [picture], "MODEL": "concord-landcover-s2", "REPORT": place.target("r.json")}
    for level in ("", "L1C", "L2A"):
        run(**given, LEVEL=level, OUTPUT=place.target(f"map{level}.tif"))
        told[level] = files.read_json(given["REPORT"])
    maps = [makers.look(place.target(f"map{level}.tif")).values for level in told]
    assert (maps[0] == maps[1]).all() and (maps[0] != maps[2]).any()
    assert told[""]["level"]["name"] == "L1C" and "as chosen" in told["L2A"]["level"]["why"]
    run_algorithm("concord:modelcard", {**given, "LEVEL": "L2A"})
    verdicts = {v["what"]: v for v in files.read_json(given["REPORT"])["verdicts"]}
    assert "taken for L2A, as chosen" in verdicts["Processing level"]["detail"]
    with pytest.raises(Exception, match="tells no processing levels apart; leave LEVEL empty"):
        run(LEVEL="L2A")


def test_probabilities_are_the_softmax_and_carry_names(run, place):
    results = run(PROBABILITIES=place.target("p.tif"))
    found = makers.look(results["PROBABILITIES"])
    powers = np.exp(expected(place.image))
    assert np.allclose(found.values, powers / powers.sum(axis=0), atol=1e-5)
    assert found.names == ["most green", "most nir"]
    classes = makers.look(results["OUTPUT"]).values[0]
    assert (classes == found.values.argmax(axis=0) + 1).all()


@pytest.mark.parametrize("executor", ["local", "local:3"])
@pytest.mark.parametrize("crs", [makers.CRS, "EPSG:4326"])
def test_an_extent_is_a_part_of_the_whole(run, place, executor, crs):
    whole = makers.look(run()["OUTPUT"]).values[0]
    extent = makers.extent((21, 11, 40, 30), crs)
    part = makers.look(run(EXTENT=extent, EXECUTOR=executor)["OUTPUT"])
    col = round((part.transform[0] - 500000) / 10)
    row = round((5600000 - part.transform[3]) / 10)
    rows, cols = part.values.shape[1:]
    assert col <= 21 and row <= 11 and col + cols >= 61 and row + rows >= 41
    if crs == makers.CRS:
        assert (col, row, cols, rows) == (21, 11, 40, 30)
    assert np.array_equal(part.values[0], whole[row : row + rows, col : col + cols])


@pytest.mark.parametrize("crs", [makers.CRS, "EPSG:4326"])
def test_a_mask_leaves_the_outside_empty(run, crs):
    whole = makers.look(run()["OUTPUT"]).values[0]
    mask = makers.vector("Polygon", [(makers.box((20, 10, 40, 30), crs), (1, 1))], crs)
    found = makers.look(run(MASK=mask)["OUTPUT"]).values[0]
    inside = np.zeros(whole.shape, bool)
    inside[10:40, 20:60] = True
    assert np.array_equal(found[inside], whole[inside]) and (found[~inside] == 0).all()


def test_bands_are_found_by_name_in_several_files(run, place, tmp_path):
    whole = makers.look(run()["OUTPUT"]).values
    one = makers.image(tmp_path / "b.tif", bands=("nir", "red"))
    two = makers.image(tmp_path / "a.tif", bands=("blue", "green"))
    for inputs in ([one, two], f"{two};{one}"):
        # Noise is drawn for all bands at once, so the planes are those of the whole image.
        assert np.array_equal(makers.look(run(INPUT=inputs)["OUTPUT"]).values, whole)


def test_no_data_stays_empty_and_harms_no_neighbour(run, place, tmp_path):
    planes = makers.reflectance(makers.truth())
    planes[:, 20:30, 20:30] = np.nan
    rasters.write(
        tmp_path / "gap.tif", planes, makers.GRID, names=list(makers.BANDS),
        units=["reflectance"] * 4, nodata=np.nan,
    )  # fmt: skip
    results = run(INPUT=str(tmp_path / "gap.tif"), PROBABILITIES=place.target("p.tif"))
    classes, shares = makers.look(results["OUTPUT"]), makers.look(results["PROBABILITIES"])
    empty = np.zeros(makers.truth().shape, bool)
    empty[20:30, 20:30] = True
    assert (classes.values[0][empty] == 0).all() and (classes.values[0][~empty] > 0).all()
    assert np.isnan(shares.values[:, empty]).all()
    assert np.isfinite(shares.values[:, ~empty]).all()


@pytest.mark.parametrize("output", ["memory:", "polygons.gpkg", "polygons.geojson"])
def test_polygons_cover_the_classes_exactly(run, run_algorithm, place, output):
    target = output if output == "memory:" else place.target(output)
    results = run(POLYGONS=target)
    layer = results["POLYGONS"]
    if isinstance(layer, str):
        layer = QgsProcessingUtils.mapLayerFromString(layer, run_algorithm.context)
    classes = makers.look(results["OUTPUT"]).values[0]
    shapes = [(json.loads(f.geometry().asJson(12)), int(f["class"])) for f in layer.getFeatures()]
    assert {f["class_name"] for f in layer.getFeatures()} == {"most green", "most nir"}
    if not output.endswith(".geojson"):  # that format is in EPSG:4326
        assert layer.crs().authid() == makers.CRS
        assert np.array_equal(rasters.burn(shapes, makers.GRID), classes)
    kept = {"map.tif", "map.tif.aux.xml", *([output] if output != "memory:" else [])}
    assert {path.name for path in place.out.iterdir()} == kept


def test_the_report_counts_what_the_map_holds(run, place):
    report = files.read_json(run(REPORT=place.target("r.json"))["REPORT"])
    classes = makers.look(place.target("map.tif")).values[0]
    assert {c["code"]: c["pixels"] for c in report["classes"]} == {
        code: int((classes == code).sum()) for code in (1, 2)
    }
    assert report["labelled"] == classes.size and report["tiles"] == 4 * 3
    assert all(verdict["level"] == "green" for verdict in report["verdicts"])


def test_same_bytes_whatever_the_number_of_threads(run, place):
    run(PROBABILITIES=place.target("p.tif"), POLYGONS=place.target("p.geojson"))
    before = makers.snapshot(place.out)
    run(PROBABILITIES=place.target("p.tif"), POLYGONS=place.target("p.geojson"),
        EXECUTOR="local:4")  # fmt: skip
    assert makers.snapshot(place.out) == before


def test_a_wrong_unit_stops_the_run_unless_overridden(run, refusal, place, mean5, tmp_path):
    numbers = (makers.reflectance(makers.truth()) * 10000).astype(np.uint16)
    rasters.write(tmp_path / "dn.tif", numbers, makers.GRID, names=list(makers.BANDS),
                  units=["DN"] * 4)  # fmt: skip
    given = {"INPUT": str(tmp_path / "dn.tif"), "MODEL": mean5}
    text = refusal("concord:runmodel", {**given, "OUTPUT": place.target("map.tif")})
    assert "mean5.onnx" in text and "reflectance" in text
    assert not list(place.out.iterdir())
    report = run(INPUT=given["INPUT"], OVERRIDE=True, REPORT=place.target("r.json"))["REPORT"]
    assert files.read_json(report)["override"] is True


def test_an_image_smaller_than_a_tile(run, tmp_path):
    grid = Grid(makers.CRS, (10.0, 0.0, 5e5, 0.0, -10.0, 5.6e6), 9, 7)
    small = makers.image(tmp_path / "small.tif", grid)
    found = makers.look(run(INPUT=small)["OUTPUT"])
    assert found.values.shape == (1, 7, 9) and (found.values > 0).all()


def test_a_card_of_its_own_replaces_the_models(run, tmp_path, place):
    item = makers.card(BANDS)
    item["properties"]["mlm:output"][0]["classification:classes"][0]["name"] = "renamed"
    item["properties"]["mlm:output"][0]["classification:classes"][0]["title"] = "renamed"
    files.write_json(tmp_path / "other.json", item)
    found = makers.look(run(CARD=str(tmp_path / "other.json"))["OUTPUT"])
    assert found.categories[1] == "renamed"


def test_the_bundled_model_finds_the_pond(run, place):
    found = makers.look(run(MODEL="concord-spectral")["OUTPUT"])
    water = found.categories.index("water")
    assert makers.iou(found.values[0] == water, makers.truth() == 1) > 0.8


def test_modelcard_with_and_without_an_image(run_algorithm, place, mean5):
    alone = {"MODEL": mean5, "REPORT": place.target("card.json")}
    report = files.read_json(run_algorithm("concord:modelcard", alone)["REPORT"])
    assert report["complete"] and report["card"]["bands"] == list(BANDS)
    assert [verdict["what"] for verdict in report["verdicts"]] == ["Card"]
    on_image = {**alone, "INPUT": [place.image]}
    report = files.read_json(run_algorithm("concord:modelcard", on_image)["REPORT"])
    assert report["level"] == "green"
    assert {"Card", "Bands", "Resolution", "Unit"} <= {v["what"] for v in report["verdicts"]}
    assert run_algorithm("concord:modelcard", {"MODEL": "concord-spectral"}) == {}


def test_modelcard_drafts_what_is_missing(run_algorithm, place, tmp_path):
    bare = makers.model(tmp_path / "bare.onnx", None)
    results = run_algorithm(
        "concord:modelcard", {"MODEL": bare, "REPORT": place.target("card.json")}
    )
    report = files.read_json(results["REPORT"])
    assert not report["complete"] and report["level"] == "red"
    assert {"band names", "tile size", "halo"} <= set(report["missing"])
    assert report["draft"]["properties"]["mlm:hyperparameters"]["tile"] is None


def test_a_mask_beside_the_image_gave_an_empty_map_without_a_word(run, run_algorithm):
    run(MASK=makers.vector("Polygon", [(makers.box((500, 500, 9, 9)), (1, 1))]))
    assert any(
        kind == "warning" and "mask leaves no pixel" in text
        for kind, text in run_algorithm.messages
    )
