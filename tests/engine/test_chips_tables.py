"""Tables as Parquet, read by pyarrow and by GDAL's sense of GeoParquet."""

from __future__ import annotations

import json

import pytest

from concord.plugin.engine.chips import check, export, parcels, tables
from tests.engine import chips_data as data

pyarrow = pytest.importorskip("pyarrow", reason="Parquet is optional and needs pyarrow")


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return data.scene(tmp_path_factory.mktemp("tables"))


def test_parquet_index_holds_every_chip_and_the_same_bytes(scene, tmp_path):
    import pyarrow.parquet as parquet

    wish = data.wish(index="parquet", formats=("native", "ftw"))
    for name in ("one", "two"):
        export.export([scene.first], scene.labels, str(tmp_path / name), wish, scene.consensus)
    table = parquet.read_table(tmp_path / "one" / "index.parquet").to_pydict()
    assert len(table["id"]) == 64 and set(table["split"]) == {"train", "validate", "test"}
    assert 0.4 < min(table["mean_posterior"]) and max(table["mean_posterior"]) < 1
    assert data.digests(tmp_path / "one") == data.digests(tmp_path / "two")
    assert check.check(str(tmp_path / "one"))["passed"]
    assert not (tmp_path / "one" / "index.csv").exists()
    (path,) = (tmp_path / "one" / "ftw").glob("*/chips_*.parquet")
    fields = parquet.read_table(path)
    about = json.loads(fields.schema.metadata[b"geo"])
    assert about["primary_column"] == "geometry" and fields.num_rows == 64
    assert set(fields.column("split").to_pylist()) == {"train", "val", "test"}


def test_well_known_binary_of_a_polygon_is_what_ogr_reads():
    from osgeo import ogr

    ring = [[9.0, 45.0], [9.1, 45.0], [9.1, 45.1], [9.0, 45.0]]
    binary = tables._wkb({"type": "Polygon", "coordinates": [ring]})
    geometry = ogr.CreateGeometryFromWkb(binary)
    assert json.loads(geometry.ExportToJson())["coordinates"] == [ring]


def test_parcels_as_parquet(scene, tmp_path):
    import pyarrow.parquet as parquet

    ring = [[5e5, 5e6], [5e5 + 200, 5e6], [5e5 + 200, 5e6 - 200], [5e5, 5e6 - 200], [5e5, 5e6]]
    found = [parcels.Parcel("a", "oats", {"type": "Polygon", "coordinates": [ring]})]
    parcels.table(found, "EPSG:32632", [scene.first], str(tmp_path / "t.parquet"))
    rows = parquet.read_table(tmp_path / "t.parquet").to_pylist()
    assert [row["band"] for row in rows] == data.BANDS and rows[0]["valid"] == 400
