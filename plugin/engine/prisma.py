"""PRISMA L2D products (.he5) as GeoTIFF cubes that every other step can read.

Reflectance = Min + DN * (Max - Min) / 65535 with the file's own L2Scale attributes, wavelengths and
widths from its lists, the place from its corner attributes (ASI, PRISMA Products Specification,
issue 2.3). Corners are those of pixel centres; where the distances say otherwise they are taken as
the outer ones. Bands lie (row, band, column) in the file, so that no window of it can be read as a
raster: it is rewritten once.
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import numpy as np

from . import rasters
from .errors import ConcordError
from .grid import Grid, Window
from .progress import SILENT, Progress

PIXEL = 30.0
_INSIDE = "HDFEOS/SWATHS/PRS_L2D_HCO/Data_Fields/{}_Cube"
_ROWS = 64
_SUFFIXES = (".he5", ".h5", ".hdf5")


@contextlib.contextmanager
def unpacked(inputs, output: str, progress: Progress = SILENT):
    """The inputs with PRISMA files as GeoTIFFs, and {GeoTIFF: file it was made of}.

    They lie beside an ``output`` that ends in .vrt, which reads them; else they go afterwards.
    """
    inputs, stays = [str(given) for given in inputs], Path(output).suffix.lower() == ".vrt"
    if not any(inside(given) for given in inputs):
        yield inputs, {}
        return
    with contextlib.ExitStack() as stack:
        folder = Path(output).parent
        if not stays:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder)))
        made, paths = {}, []
        for given in inputs:
            found = inside(given)
            for path in found:
                target = str(folder / f"{path.stem}_cube.tif")
                convert(path, target, progress)
                made[target] = str(path)
                paths.append(target)
            if not found or (Path(given).is_dir() and _has_rasters(Path(given))):
                paths.append(given)
        yield paths, made


def inside(given: str) -> list:
    """PRISMA files that an input is or, as a folder, holds."""
    path = Path(given)
    if path.is_dir():
        return sorted(p for p in path.glob("*.he5") if p.name.upper().startswith("PRS_"))
    told = path.suffix.lower() == ".he5" or path.name.upper().startswith("PRS_")
    return [path] if path.suffix.lower() in _SUFFIXES and told and path.is_file() else []


def _has_rasters(folder: Path) -> bool:
    from .gather import SUFFIXES

    return any(p.suffix.lower() in SUFFIXES for p in folder.rglob("*"))


def convert(path: Path, target: str, progress: Progress = SILENT) -> None:
    """Write the cube of a file as GeoTIFF: DN with scale and offset, named by wavelength.

    Raises:
        ConcordError: another level than L2D, or attributes are missing.
    """
    tags = rasters.hdf_tags(path)
    if not tags.get("Epsg_Code") or "L2ScaleVnirMax" not in tags:
        raise ConcordError(
            f"{path} is no PRISMA L2D product, only those lie on a map grid in reflectance; order "
            "the scene as L2D."
        )
    with contextlib.ExitStack() as stack:
        cubes = {
            name: stack.enter_context(rasters.HdfCube(path, _INSIDE.format(name.upper())))
            for name in ("Vnir", "Swir")
        }
        bands = sorted(_bands(tags, cubes, path))
        if len({(cube.rows, cube.columns) for cube in cubes.values()}) != 1:
            raise ConcordError(f"{path} has cubes of two sizes; get the file again.")
        grid = _grid(tags, cubes["Vnir"], path)
        writer = stack.enter_context(
            rasters.Writer(
                target,
                grid,
                len(bands),
                "uint16",
                nodata=0,
                names=[f"{name.upper()} {wave:.2f} nm" for wave, name, _ in bands],
                scales=[_scale(tags, name, path) for _, name, _ in bands],
                tags={"start_time": tags.get("Product_StartTime", "")[:10]},
            )  # fmt: skip
        )
        for row in range(0, grid.height, _ROWS):
            last = min(row + _ROWS, grid.height)
            progress.report(row, grid.height, f"Reading {path.name}")
            parts = {name: cube.read(row, last) for name, cube in cubes.items()}
            block = np.stack([parts[name][index] for _, name, index in bands])
            writer.write(block, Window(0, row, grid.width, last - row))


def _numbers(tags: dict, name: str, path: Path) -> list:
    try:
        return [float(part) for part in tags[name].split()]
    except (KeyError, ValueError) as error:
        raise ConcordError(f"{path} lacks the attribute {name}; get the file again.") from error


def _bands(tags: dict, cubes: dict, path: Path) -> list:
    """(wavelength in nm, detector, position) of every band that was acquired."""
    found = []
    for name, cube in cubes.items():
        waves = _numbers(tags, f"List_Cw_{name}", path)
        if len(waves) != cube.count:
            raise ConcordError(
                f"{path} names {len(waves)} wavelengths for {cube.count} bands; get the file again."
            )
        flag = f"List_Cw_{name}_Flags"
        flags = _numbers(tags, flag, path) if flag in tags else [1.0] * len(waves)
        used = zip(waves, flags, range(cube.count))
        found += [(wave, name, index) for wave, flag, index in used if wave > 0 and flag > 0]
    return found


def _scale(tags: dict, name: str, path: Path) -> tuple:
    low, high = (_numbers(tags, f"L2Scale{name}{end}", path)[0] for end in ("Min", "Max"))
    return (high - low) / 65535.0, low


def _grid(tags: dict, cube, path: Path) -> Grid:
    def corner(side: str) -> list:
        keys = (f"Product_{side}corner_easting", f"Product_{side}corner_northing")
        return [_numbers(tags, key, path)[0] for key in keys]

    (left, top), (right, _) = corner("UL"), corner("LR")
    between = (right - left) / max(cube.columns - 1, 1)
    outer = (right - left) / cube.columns
    centres = abs(between - PIXEL) <= abs(outer - PIXEL)
    shift = PIXEL / 2 if centres else 0.0
    code = int(_numbers(tags, "Epsg_Code", path)[0])
    move = (PIXEL, 0.0, left - shift, 0.0, -PIXEL, top + shift)
    return Grid(f"EPSG:{code}", move, cube.columns, cube.rows)
