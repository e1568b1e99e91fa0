"""NetCDF, one file a chip as Sen4AgriNet has it, with CF coordinates and grid mapping.

NetCDF 3 has no unsigned types: bytes carry ``_Unsigned``, 16-bit numbers are stored in 32 bits.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from ... import rasters
from ...taxonomy import IGNORE, NO_DATA
from . import base

_WIDER = {"u2": "i4", "u4": "f8", "i8": "f8", "u8": "f8"}


def chip(sample: base.Sample) -> tuple:
    """All modalities of a chip in one file, grouped by prefix."""
    from scipy.io import netcdf_file

    memory = io.BytesIO()
    out = netcdf_file(memory, "w", version=2)
    setup = sample.setup
    for key, value in (("Conventions", "CF-1.8"), ("title", setup.title), ("id", sample.id),
                       ("license", setup.wish.licence), ("split", sample.split)):  # fmt: skip
        setattr(out, key, _text(value))
    _place(out, sample.grid)
    label = _variable(out, "label", sample.label, ("y", "x"))
    label.flag_values = np.array(setup.scheme.codes, "i2")
    label.flag_meanings = _text(" ".join(base.plain(c.name) for c in setup.scheme.classes))
    if sample.posterior is not None:
        _variable(out, "posterior", sample.posterior, ("y", "x")).units = _text("percent")
    for number, cut in enumerate(sample.cuts):
        dims = ("y", "x")
        if cut.grid != sample.grid:
            dims = (f"y{number}", f"x{number}")
            _axes(out, cut.grid, dims)
        for band, values in zip(cut.image.bands, cut.array):
            variable = _variable(out, f"{cut.name}_{band.name}", values, dims)
            variable.long_name = _text(f"{band.name} of {cut.name}")
            if band.unit:
                variable.units = _text(band.unit)
            if (band.scale, band.offset) != (1.0, 0.0):
                variable.scale_factor, variable.add_offset = band.scale, band.offset
            if cut.image.nodata is not None:
                variable._FillValue = np.array(cut.image.nodata, variable.data.dtype)
            if cut.image.dates:
                variable.date = _text(" ".join(cut.image.dates))
    out.flush()
    data = memory.getvalue()
    out.close()
    return {f"{sample.split}/{sample.id}.nc": data}, {}


def _text(value: str) -> bytes:
    return value.encode("utf-8")


def _place(out, grid) -> None:
    crs = out.createVariable("spatial_ref", "i4", ())
    crs.data[...] = 0
    crs.crs_wkt = crs.spatial_ref = _text(rasters.wkt(grid.crs))
    a, b, c, d, e, f = grid.transform
    crs.GeoTransform = _text(" ".join(repr(float(v)) for v in (c, a, b, f, d, e)))
    geographic = rasters.crs_is_geographic(grid.crs)
    crs.grid_mapping_name = _text("latitude_longitude" if geographic else "unknown")
    _axes(out, grid, ("y", "x"))


def _axes(out, grid, dims: tuple) -> None:
    geographic = rasters.crs_is_geographic(grid.crs)
    kinds = ("latitude", "longitude") if geographic else (
        "projection_y_coordinate", "projection_x_coordinate")  # fmt: skip
    for axis, name, size in ((1, dims[0], grid.height), (0, dims[1], grid.width)):
        out.createDimension(name, size)
        variable = out.createVariable(name, "f8", (name,))
        variable.standard_name = _text(kinds[1 - axis])
        steps = np.arange(size) + 0.5
        spots = [grid.xy(0.5, s)[1] if axis else grid.xy(s, 0.5)[0] for s in steps]
        variable[:] = np.array(spots)
        degrees = "degrees_north" if axis else "degrees_east"
        variable.units = _text(degrees if geographic else "m")


def _variable(out, name: str, values: np.ndarray, dims: tuple):
    kind = values.dtype.str[1:]
    stored = values.view("i1") if kind == "u1" else values.astype(_WIDER.get(kind, kind))
    variable = out.createVariable(name, stored.dtype.str[1:], dims)
    variable[:] = stored
    variable.grid_mapping = b"spatial_ref"
    if kind == "u1":
        setattr(variable, "_Unsigned", b"true")  # noqa: B010 (a NetCDF name, not a private one)
    return variable


def finish(entries, setup: base.Setup):
    """Nothing stands beside the files."""
    return ()


def check(folder: Path, codes: set):
    """Every file opens and its label holds known codes."""
    from scipy.io import netcdf_file

    paths = sorted(folder.glob("*/*.nc"))
    if not paths:
        yield "files", "netcdf", "holds no chip"
    for path in paths:
        name = f"netcdf/{path.relative_to(folder).as_posix()}"
        try:
            with netcdf_file(path, "r", mmap=False) as content:
                label = np.array(content.variables["label"][:]).view("u1")
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            yield "format", name, f"cannot be read ({error})"
            continue
        unknown = set(np.unique(label).tolist()) - codes - {NO_DATA, IGNORE}
        if unknown:
            yield "codes", name, f"code {min(unknown)} is not in the taxonomy"


FORMATS = (base.Format("netcdf", "NetCDF, one file a chip", chip, finish, check),)
