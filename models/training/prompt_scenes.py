"""Real scenes with what can be pointed at in them: planes of bytes and layers of numbered objects.

A layer is an image of whole numbers, 0 where nothing is meant. Polygons and class maps give
layers of real things; Felzenszwalb segments at several scales give regions of everything else.
`prompt_split.py` says what of each scene is for training, for choices and for the held-out table.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage import segmentation


@dataclass
class Scene:
    """``planes`` (rows, cols, n) uint8, ``layers`` [(numbers (rows, cols) int32, weight)].

    ``composites`` are plane triples a user would look at; ``zoom`` is the range of sizes at which
    the scene is shown (picture pixels for one scene pixel); ``weight`` how often it is drawn.
    """

    name: str
    planes: np.ndarray
    layers: list
    composites: tuple
    zoom: tuple
    weight: float = 1.0


def stretched(planes: np.ndarray, low: float = 1.0, high: float = 99.0) -> np.ndarray:
    """(n, rows, cols) of any numbers as (rows, cols, n) bytes, each plane by its percentiles."""
    found = []
    for plane in np.asarray(planes, np.float32):
        finite = plane[np.isfinite(plane)]
        a, b = np.percentile(finite, (low, high)) if finite.size else (0.0, 1.0)
        scaled = np.clip((plane - a) / max(b - a, 1e-6), 0, 1) * 255
        found.append(np.where(np.isfinite(plane), scaled, 0).astype(np.uint8))
    return np.stack(found, -1)


def regions(picture: np.ndarray, scales=(80, 300, 1000, 3000), weight: float = 1.0) -> list:
    """Felzenszwalb layers of a (rows, cols, 3) picture, the fine ones drawn less."""
    found = []
    for k, scale in enumerate(scales):
        smallest = int(20 * (scale / 80) ** 0.7)
        sigma = (0.6, 0.8, 1.0, 1.2)[k % 4]
        parts = segmentation.felzenszwalb(
            picture, scale=scale, sigma=sigma, min_size=smallest, channel_axis=-1
        )
        found.append((parts.astype(np.int32) + 1, weight * (0.6 if k == 0 else 1.0)))
    return found


def components(classes: np.ndarray, ignore=(0,), opening: int = 0) -> np.ndarray:
    """Numbered connected parts of every class."""
    numbers, total = np.zeros(classes.shape, np.int32), 0
    for value in np.unique(classes):
        if value in ignore:
            continue
        mask = classes == value
        if opening:
            mask = ndimage.binary_opening(mask, iterations=opening)
        parts, count = ndimage.label(mask)
        numbers[mask] = parts[mask] + total
        total += count
    return numbers


def whole(numbers: np.ndarray, part: tuple) -> np.ndarray:
    """A part (slices) of a layer without the objects that its cut goes through."""
    inside = numbers[part].copy()
    outside = numbers.copy()
    outside[part] = 0
    crossing = np.intersect1d(np.unique(outside), np.unique(inside))
    inside[np.isin(inside, crossing[crossing > 0])] = 0
    return inside


def read(path: Path, bands=None) -> np.ndarray:
    import rasterio

    with rasterio.open(path) as source:
        return source.read(bands) if bands else source.read()


# --- fair-uganda ------------------------------------------------------------------------------

TILE0, TILES = (1238448, 1046528), (12, 8)  # first tile of zoom 21 and how many
_HALF = 20037508.342789244


def uganda(folder: Path) -> tuple:
    """((2048, 3072, 3) mosaic, (2048, 3072) building numbers from 1)."""
    from skimage.draw import polygon

    wide, high = TILES
    image = np.zeros((high * 256, wide * 256, 3), np.uint8)
    for row in range(high):
        for col in range(wide):
            tile = read(folder / f"OAM-{TILE0[0] + col}-{TILE0[1] + row}-21.png", [1, 2, 3])
            image[row * 256 : row * 256 + 256, col * 256 : col * 256 + 256] = tile.transpose(
                1, 2, 0
            )
    numbers = np.zeros(image.shape[:2], np.int32)
    for number, ring in uganda_rings(folder):
        rr, cc = polygon(ring[:, 1] - 0.5, ring[:, 0] - 0.5, numbers.shape)
        numbers[rr, cc] = number + 1
    return image, numbers


def uganda_rings(folder: Path):
    """(number, (n, 2) columns and rows in the mosaic) of each building's outer ring."""
    import json

    pixel = 2 * _HALF / 2**21 / 256
    left, top = TILE0[0] * pixel * 256 - _HALF, _HALF - TILE0[1] * pixel * 256
    features = json.loads((folder / "labels.geojson").read_text())["features"]
    for number, feature in enumerate(features):
        shape = feature["geometry"]
        multi = shape["type"] == "MultiPolygon"
        for part in shape["coordinates"] if multi else [shape["coordinates"]]:
            lon, lat = np.array(part[0], float)[:, :2].T
            x = lon / 180 * _HALF
            y = np.log(np.tan((90 + lat) * np.pi / 360)) / np.pi * _HALF
            yield number, np.stack([(x - left) / pixel, (top - y) / pixel], 1)


# --- the others -------------------------------------------------------------------------------

_DARK = 0.6  # of the median near infrared: ponds lie below


def ponds(planes: np.ndarray) -> np.ndarray:
    """Numbered water bodies of (4, rows, cols) NAIP RGBN: NDWI above 0.1, cleaned, filled.

    The bytes of NAIP are no reflectances: bright ground can have such an NDWI too. Water stays
    well under the picture's median near infrared.
    """
    green, nir = planes[1].astype(np.float32), planes[3].astype(np.float32)
    water = ndimage.binary_opening((green - nir) / np.maximum(green + nir, 1) > 0.1)
    parts, count = ndimage.label(ndimage.binary_fill_holes(water))
    means = ndimage.mean(nir, parts, np.arange(1, count + 1))
    bright = 1 + np.flatnonzero(means >= _DARK * np.median(nir))
    parts[np.isin(parts, bright)] = 0
    return parts.astype(np.int32)


def chesapeake(path: Path) -> list:
    """The new and the old NAIP picture of a chip with its land cover and its buildings."""
    chip = np.load(path)["arr_0"]
    chip = chip[0] if chip.ndim == 4 else chip
    cover = components(chip[8].astype(int), ignore=(0, 15), opening=1)
    roofs = components((chip[28] > 0).astype(int))
    found = []
    for age, first in (("new", 0), ("old", 4)):
        planes = stretched(chip[first : first + 4])
        layers = [(cover, 1.0), (roofs, 1.0), *regions(planes[..., [3, 0, 1]], (100, 400))]
        found.append(
            Scene(f"{path.stem} {age}", planes, layers, ((0, 1, 2), (3, 0, 1)), (0.8, 2.5), 0.5)
        )
    return found


def outlined(path: Path, shapes: list, crs: str = "EPSG:4326") -> np.ndarray:
    """(rows, cols) numbers from 1 of GeoJSON geometries in ``crs``, on the grid of a raster."""
    import rasterio
    from rasterio.features import rasterize
    from rasterio.warp import transform_geom

    with rasterio.open(path) as source:
        pairs = [(transform_geom(crs, source.crs, shape), k + 1) for k, shape in enumerate(shapes)]
        return rasterize(pairs, source.shape, transform=source.transform, dtype="int32")


def relief(folder: Path) -> Scene:
    """Hillshade, slope, height above ground and surface, with footprints (EPSG:26918)."""
    import json

    dsm = read(folder / "dsm.tif")[0].astype(np.float32)
    height = read(folder / "hag.tif")[0].astype(np.float32)
    dsm = np.where(np.abs(dsm) > 1e4, np.nan, dsm)
    height = np.where(np.abs(height) > 1e4, np.nan, height)
    filled = np.nan_to_num(dsm, nan=float(np.nanmedian(dsm)))
    dy, dx = np.gradient(filled, 2.0)
    slope = np.arctan(np.hypot(dx, dy))
    shade = np.cos(slope) * 0.7 + np.sin(slope) * 0.7 * np.cos(np.arctan2(dy, -dx) - 0.8)
    planes = stretched(np.stack([shade, slope, np.clip(height, 0, 30), filled]))
    text = json.loads((folder / "buildings.geojson").read_text())
    own = text.get("crs", {}).get("properties", {}).get("name", "EPSG:4326")
    roofs = outlined(folder / "dsm.tif", [feature["geometry"] for feature in text["features"]], own)
    layers = [(roofs, 3.0), *regions(planes[..., :3], (150, 600), 0.5)]
    return Scene("elevation", planes, layers, ((0, 1, 2), (2, 2, 2), (2, 0, 1)), (0.8, 2.5), 1.5)


def bands(paths, shape=None) -> np.ndarray:
    """Single-band files on the grid of the finest, or of ``shape``."""
    planes = [read(path)[0].astype(np.float32) for path in paths]
    rows, cols = shape or max(plane.shape for plane in planes)
    found = []
    for plane in planes:
        ri = np.minimum((np.arange(rows) + 0.5) * plane.shape[0] / rows, plane.shape[0] - 1)
        ci = np.minimum((np.arange(cols) + 0.5) * plane.shape[1] / cols, plane.shape[1] - 1)
        found.append(plane[ri.astype(int)[:, None], ci.astype(int)[None]])
    return np.stack(found)
