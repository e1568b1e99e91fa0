"""concord:segmentextent, encodescene and applypainting on the round pond and the stripes."""

from __future__ import annotations

import numpy as np
import pytest
from algorithms import makers
from qgis.core import QgsProcessingUtils, QgsVectorLayer

from concord.plugin.engine import rasters
from concord.plugin.engine.paint.painting import Painting

BANDS = "nir;red;green"
POND = makers.truth() == 1


def test_segmentextent_numbers_every_pixel_and_finds_the_pond(run_algorithm, place):
    out = place.target("regions.tif")
    results = run_algorithm(
        "concord:segmentextent", {"IMAGE": place.image, "BANDS": BANDS, "OUTPUT": out}
    )
    numbers = rasters.read(results["OUTPUT"])[0]
    assert (numbers > 0).all() and numbers.max() < numbers.size / 4
    inside = np.isin(numbers, np.unique(numbers[POND & np.roll(POND, 3, 1) & np.roll(POND, -3, 1)]))
    assert makers.iou(inside, POND) > 0.9
    tags = rasters.info(out).tags
    assert tags["CONCORD_MODEL"] == "regions" and tags["CONCORD_COMPOSITE"].startswith("nir")


@pytest.mark.parametrize("crs", [makers.CRS, "EPSG:4326"])
def test_segmentextent_keeps_to_the_extent_in_any_crs(run_algorithm, place, crs):
    out, window = place.target("part.tif"), (30, 20, 40, 24)
    run_algorithm(
        "concord:segmentextent",
        {"IMAGE": place.image, "BANDS": BANDS, "EXTENT": makers.extent(window, crs), "OUTPUT": out},
    )
    grid, whole = rasters.info(out).grid, rasters.info(place.image).grid
    col, row = whole.colrow(*grid.xy(0, 0))
    assert (round(col), round(row)) <= window[:2] and grid.width - window[2] in (0, 1, 2)
    assert abs(col - round(col)) < 1e-6 and grid.pixel_size == whole.pixel_size


def test_segmentextent_polygons_cover_the_raster_and_heed_the_smallest_area(run_algorithm, place):
    smallest = 50 * 100.0
    out = place.target("regions.tif")
    results = run_algorithm(
        "concord:segmentextent",
        {"IMAGE": place.image, "BANDS": BANDS, "MIN_AREA": smallest, "OUTPUT": out,
         "POLYGONS": "memory:"},
    )  # fmt: skip
    layer = results["POLYGONS"]
    if isinstance(layer, str):
        layer = QgsProcessingUtils.mapLayerFromString(layer, run_algorithm.context)
    numbers, pixel = rasters.read(out)[0], np.prod(rasters.info(out).grid.pixel_size)
    sizes = np.bincount(numbers.ravel())[1:]
    assert sizes[sizes > 0].min() * pixel >= smallest
    assert sum(f["area"] for f in layer.getFeatures()) == pytest.approx(numbers.size * pixel)
    assert layer.crs().authid() == makers.CRS


def test_segmentextent_makes_one_feature_of_a_region_joined_at_corners(run_algorithm, place):
    """A region whose pixels meet at corners came out as several features of one number."""
    out = place.target("regions.tif")
    results = run_algorithm(
        "concord:segmentextent",
        {"IMAGE": place.image, "BANDS": BANDS, "OUTPUT": out,
         "POLYGONS": place.target("regions.gpkg")},
    )  # fmt: skip
    layer = QgsVectorLayer(results["POLYGONS"], "regions", "ogr")
    assert layer.isValid()
    numbers, pixel = rasters.read(out)[0], np.prod(rasters.info(out).grid.pixel_size)
    sizes = np.bincount(numbers.ravel())
    pieces = [p for p in rasters.polygons(numbers, rasters.info(out).grid, numbers > 0)]
    assert len(pieces) > (sizes[1:] > 0).sum()  # the scene holds such regions
    areas = {f["region"]: f["area"] for f in layer.getFeatures()}
    assert layer.featureCount() == len(areas) == (sizes[1:] > 0).sum()
    assert areas == pytest.approx({n: s * pixel for n, s in enumerate(sizes) if n and s})
    assert all(f.geometry().isGeosValid() for f in layer.getFeatures())


def test_segmentextent_without_image_under_the_extent_is_refused(refusal, place):
    far = makers.extent((5000, 5000, 20, 20))
    text = refusal(
        "concord:segmentextent",
        {"IMAGE": place.image, "EXTENT": far, "OUTPUT": place.target("no.tif")},
    )
    assert "extent" in text.lower()


def test_encodescene_is_quick_the_second_time(run_algorithm, place):
    from concord.plugin.engine.segment import places

    wish = {"IMAGE": place.image, "BANDS": BANDS}
    first = run_algorithm("concord:encodescene", wish)
    assert first["TILES"] >= 1 and first["EMPTY"] == 0
    asked = []
    encode = places.encoding_at

    def counted(scene, planes, provider, spot):
        asked.append(places.is_encoded(scene, planes, provider, spot))
        return encode(scene, planes, provider, spot)

    places.encoding_at = counted
    try:
        run_algorithm("concord:encodescene", wish)
    finally:
        places.encoding_at = encode
    assert all(asked), "a tile was encoded twice"


def test_encodescene_of_an_image_without_data_is_refused(refusal, tmp_path):
    image = makers.image(tmp_path / "empty.tif")
    codes = rasters.read(image)
    rasters.write(image, np.zeros_like(codes), makers.GRID, names=list(makers.BANDS), nodata=0)
    text = refusal("concord:encodescene", {"IMAGE": image, "BANDS": BANDS})
    assert "band nir has no data" in text


def test_encodescene_refuses_a_band_that_is_not_there(refusal, place):
    text = refusal("concord:encodescene", {"IMAGE": place.image, "BANDS": "swir16;nir;red"})
    assert "swir16" in text


@pytest.fixture
def painted(place, tmp_path):
    """A copy of the map with a square of class 3 painted on it."""
    path = str(tmp_path / "map.tif")
    makers.labels(tmp_path / "map.tif", makers.truth())
    painting = Painting(path)
    ring = [makers.GRID.xy(*spot) for spot in ((5, 5), (15, 5), (15, 15), (5, 15), (5, 5))]
    square = {"type": "Polygon", "coordinates": [[list(spot) for spot in ring]]}
    painting.paint([square], 3, {"title": "brush", "by": "ana", "name": "new", "at": "now"})
    painting.close()
    return path, str(painting.journal.path)


def test_applypainting_writes_the_steps_and_leaves_the_map(run_algorithm, place, painted):
    path, journal = painted
    before, out = rasters.read(path)[0], place.target("painted.tif")
    results = run_algorithm(
        "concord:applypainting", {"LABELS": path, "PAINTING": journal, "OUTPUT": out}
    )
    after = rasters.read(out)[0]
    expected = before.copy()
    expected[5:15, 5:15] = 3
    assert (after == expected).all() and (rasters.read(path)[0] == before).all()
    assert results["PIXELS"] == int((after != before).sum()) and results["STEPS"] == 1


def test_applypainting_refuses_another_maps_journal(refusal, place, painted):
    _path, journal = painted
    wish = {"LABELS": place.labels, "PAINTING": journal, "OUTPUT": place.target("no.tif")}
    assert "written anew" in refusal("concord:applypainting", wish)


def test_applypainting_refuses_what_is_no_journal(refusal, place, tmp_path):
    (tmp_path / "x.txt").write_text("hello\n")
    wish = {"LABELS": place.labels, "PAINTING": str(tmp_path / "x.txt"),
            "OUTPUT": place.target("no.tif")}  # fmt: skip
    assert "no journal of painting" in refusal("concord:applypainting", wish)


def test_fillregion_adds_a_step_that_applypainting_writes(run_algorithm, place, painted):
    path, journal = painted
    before = rasters.read(path)[0]
    x, y = makers.GRID.xy(7.5, 7.5)
    wish = {"LABELS": path, "POINT": f"{x},{y}", "CLASS": 9, "NAME": "filled"}
    assert run_algorithm("concord:fillregion", wish)["PIXELS"] == 100
    out = place.target("filled.tif")
    run_algorithm("concord:applypainting", {"LABELS": path, "PAINTING": journal, "OUTPUT": out})
    before[5:15, 5:15] = 9
    assert (rasters.read(out)[0] == before).all()


def test_fillregion_beside_the_map_is_refused(refusal, painted):
    wish = {"LABELS": painted[0], "POINT": "0,0", "CLASS": 9}
    assert "click inside it" in refusal("concord:fillregion", wish)
