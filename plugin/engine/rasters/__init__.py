"""Windowed reads, reads on another grid, and atomic writes: the only room that imports rasterio."""

from .environment import (
    bounds_on,
    crs_is_geographic,
    environment,
    epsg,
    metres_per_pixel,
    same_crs,
    square_metres_per_pixel,
    transform_bounds,
    transform_points,
    wkt,
)
from .hdf import HdfCube, hdf_tags
from .reading import BandInfo, Raster, RasterInfo, info, read, require_crs
from .sparse import EMPTY, SparseCodes, overlay_vrt
from .stacking import StackBand, write_stack
from .vectors import burn, polygons, regions
from .writing import Writer, encode, png, write

__all__ = [
    "EMPTY",
    "BandInfo",
    "HdfCube",
    "Raster",
    "RasterInfo",
    "SparseCodes",
    "StackBand",
    "Writer",
    "bounds_on",
    "burn",
    "crs_is_geographic",
    "encode",
    "environment",
    "epsg",
    "hdf_tags",
    "info",
    "metres_per_pixel",
    "overlay_vrt",
    "png",
    "polygons",
    "read",
    "regions",
    "require_crs",
    "same_crs",
    "square_metres_per_pixel",
    "transform_bounds",
    "transform_points",
    "wkt",
    "write",
    "write_stack",
]
