"""Rasters that are no file of their own: tables of a GeoPackage, variables of NetCDF, zipped files.

A file with several layers was refused with the advice to choose one of them, and the one chosen
"did not exist"; zipped labels ended in a traceback.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from algorithms import makers
from osgeo import gdal
from qgis.core import QgsRasterLayer

from concord.plugin.engine import files


def tables(path: Path, one: str, two: str, table: str) -> str:
    """A GeoPackage with two tables of bytes; GDAL's name of one of them."""
    for name, source, more in (("one", one, []), ("two", two, ["APPEND_SUBDATASET=YES"])):
        options = [*more, f"RASTER_TABLE={name}", "TILE_FORMAT=PNG"]
        gdal.GetDriverByName("GPKG").CreateCopy(str(path), gdal.Open(source), 0, options=options)
    return f"GPKG:{path}:{table}"


@pytest.fixture(params=["GPKG", "zip"])
def pair(request, place, tmp_path):
    """(name of an image, name of labels) inside files of the kind."""
    grey = makers.labels(tmp_path / "grey.tif", makers.noisy(makers.truth()) * 40, named=False)
    if request.param == "GPKG":
        image = tables(tmp_path / "two's image.gpkg", place.labels, grey, "two")
        return image, tables(tmp_path / "maps.gpkg", place.labels, grey, "one")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as packed:
        packed.write(place.image, "an image.tif")
        packed.write(place.labels, "map.tif")
    inside = f"/vsizip/{tmp_path}/all.zip"
    return f"{inside}/an image.tif", f"{inside}/map.tif"


def test_the_loop_runs_on_layers_inside_files(run_algorithm, project, place, pair):
    image, labels = pair
    layer = QgsRasterLayer(labels, "map")
    assert layer.isValid()
    target = place.target
    scene = run_algorithm("concord:loadscene", {"INPUT": image, "OUTPUT": target("s.vrt")})
    whole = makers.look(scene["OUTPUT"]).values
    assert whole.shape[1:] == (64, 96) and np.isfinite(whole).any()
    chips = run_algorithm("concord:exportchips", {
        "IMAGERY": [image], "LABELS": layer, "CHIP_SIZE": 16, "BLOCK": 160, "BUFFER": 0,
        "LICENCE": "CC0-1.0", "OUTPUT": target("chips"),
    })  # fmt: skip
    run_algorithm("concord:checkchips", {"INPUT": chips["OUTPUT"]})
    refined = run_algorithm("concord:refinelabels", {
        "IMAGE": [image], "LABELS": layer, "ENGINE": "mode", "OUTPUT": target("r.tif"),
        "PROPOSALS": target("p.gpkg"),
    })  # fmt: skip
    applied = run_algorithm("concord:applyproposals", {
        "LABELS": labels, "PROPOSALS": refined["PROPOSALS"], "OUTPUT": target("a.tif"),
    })  # fmt: skip
    both = [makers.look(path).values for path in (refined["OUTPUT"], applied["OUTPUT"])]
    assert np.array_equal(*both)


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("{}/a.nc", "a.nc"), ('NETCDF:"{}/a.nc":red', "a.nc"), ("GPKG:{}/b.gpkg:t", "b.gpkg"),
        ("/vsizip/{}/c.zip/in/d.tif", "c.zip"), ("HDF5:{}/a.nc://x/y", "a.nc"),
    ],
)  # fmt: skip
def test_the_file_behind_a_name(tmp_path, name, inside):
    for file in ("a.nc", "b.gpkg", "c.zip"):
        (tmp_path / file).write_text(file)
    assert files.file_behind(name.format(tmp_path)) == tmp_path / inside
    assert files.sha256(name.format(tmp_path)) == files.sha256(tmp_path / inside)
    assert not files.is_dataset_name(f"C:/{inside}")
