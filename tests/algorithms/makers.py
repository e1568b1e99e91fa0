"""Small rasters, layers and models for the algorithm tests, and an independent look at outputs.

Inputs are written through the engine; outputs are read with osgeo's GDAL, the library that QGIS
itself reads them with.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from osgeo import gdal
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsFeature,
    QgsGeometry,
    QgsPointXY,
    QgsProject,
    QgsVectorLayer,
)

from concord.plugin.engine import rasters
from concord.plugin.engine.grid import Grid

gdal.UseExceptions()

CRS = "EPSG:32632"
GRID = Grid(CRS, (10.0, 0.0, 500000.0, 0.0, -10.0, 5600000.0), 96, 64)
BANDS = ("blue", "green", "red", "nir")
# Reflectance of blue, green, red and nir by class code of the taxonomy concord-sample's kind.
SPECTRA = {
    1: (0.06, 0.05, 0.04, 0.02),
    2: (0.03, 0.05, 0.03, 0.35),
    3: (0.05, 0.09, 0.06, 0.25),
    4: (0.10, 0.13, 0.16, 0.22),
}
NAMES = {1: "water", 2: "trees", 3: "grass", 4: "built"}
COLOURS = {1: (30, 90, 200), 2: (10, 110, 20), 3: (150, 210, 90), 4: (200, 60, 50)}


def truth(grid: Grid = GRID) -> np.ndarray:
    """Class codes 2, 3 and 4 in three upright stripes, and a round pond (1) in the middle one."""
    rows, cols = np.mgrid[: grid.height, : grid.width]
    codes = 2 + (3 * cols // grid.width)
    away = np.hypot(rows - grid.height / 2, cols - grid.width / 2)
    return np.where(away < min(grid.height, grid.width) / 6, 1, codes).astype(np.uint8)


def reflectance(codes: np.ndarray, seed: int = 0) -> np.ndarray:
    """(4, rows, cols) float32 of a map of codes, with noise."""
    table = np.zeros((256, 4), np.float32)
    for code, values in SPECTRA.items():
        table[code] = values
    noise = np.random.default_rng(seed).normal(1.0, 0.04, (4, *codes.shape)).astype(np.float32)
    return table[codes].transpose(2, 0, 1) * noise


def image(path: Path, grid: Grid = GRID, bands=BANDS, seed: int = 0, **more) -> str:
    """A float32 image in reflectance of ``truth(grid)``, bands named."""
    path.parent.mkdir(parents=True, exist_ok=True)
    planes = reflectance(truth(grid), seed)[[BANDS.index(band) for band in bands]]
    rasters.write(
        path, planes, grid, names=list(bands), units=["reflectance"] * len(bands),
        **{"nodata": np.nan, **more},
    )  # fmt: skip
    return str(path)


def labels(path: Path, codes: np.ndarray | None = None, grid: Grid = GRID, named=True) -> str:
    """A class raster; with ``named`` it carries its class names and colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = {"categories": NAMES, "colours": COLOURS} if named else {}
    rasters.write(path, truth(grid) if codes is None else codes, grid, nodata=0, **table)
    return str(path)


def noisy(codes: np.ndarray, share: float = 0.1, seed: int = 1) -> np.ndarray:
    """The codes with a share of pixels replaced by a class drawn at random."""
    rng = np.random.default_rng(seed)
    wrong = rng.random(codes.shape) < share
    return np.where(wrong, rng.integers(1, 5, codes.shape), codes).astype(np.uint8)


@dataclass(frozen=True)
class Look:
    """What GDAL says of a raster: values (bands, rows, cols), geotransform, EPSG, and so on."""

    values: np.ndarray
    transform: tuple
    epsg: str | None
    names: list
    units: list
    nodata: list
    categories: list | None


def look(path) -> Look:
    """Read a raster with osgeo's GDAL."""
    dataset = gdal.Open(str(path))
    values = dataset.ReadAsArray()
    own = [dataset.GetRasterBand(i + 1) for i in range(dataset.RasterCount)]
    srs = dataset.GetSpatialRef()
    found = Look(
        values if values.ndim == 3 else values[None],
        tuple(dataset.GetGeoTransform()),
        srs.GetAuthorityCode(None) if srs else None,
        [band.GetDescription() for band in own],
        [band.GetUnitType() for band in own],
        [band.GetNoDataValue() for band in own],
        own[0].GetCategoryNames(),
    )
    own = srs = dataset = None
    return found


def transform_of(grid: Grid) -> tuple:
    """GDAL's geotransform of a grid."""
    a, b, c, d, e, f = grid.transform
    return (c, a, b, f, d, e)


def xy(col: float, row: float, crs: str = CRS, grid: Grid = GRID) -> QgsPointXY:
    """The map point of a pixel position, in any CRS."""
    point = QgsPointXY(*grid.xy(col, row))
    if crs == grid.crs:
        return point
    return _transform(grid.crs, crs).transform(point)


def extent(window, crs: str = CRS, grid: Grid = GRID) -> str:
    """An extent parameter that covers a window (col, row, width, height)."""
    from qgis.core import QgsRectangle

    col, row, width, height = window
    box = QgsRectangle(xy(col, row + height, grid=grid), xy(col + width, row, grid=grid))
    if crs != grid.crs:
        box = _transform(grid.crs, crs).transformBoundingBox(box)
    corners = (box.xMinimum(), box.xMaximum(), box.yMinimum(), box.yMaximum())
    return ",".join(f"{value:.12g}" for value in corners) + f" [{crs}]"


def _transform(source: str, target: str) -> QgsCoordinateTransform:
    return QgsCoordinateTransform(
        QgsCoordinateReferenceSystem(source),
        QgsCoordinateReferenceSystem(target),
        QgsProject.instance(),
    )


def vector(kind: str, rows, crs: str = CRS, fields="object:int;label:int") -> QgsVectorLayer:
    """A memory layer of ``kind`` (Point, MultiPoint, Polygon …) from (geometry, values) rows."""
    columns = "".join(f"&field={field}" for field in fields.split(";") if field)
    layer = QgsVectorLayer(f"{kind}?crs={crs}{columns}", kind, "memory")
    assert layer.isValid()
    features = []
    for geometry, values in rows:
        feature = QgsFeature(layer.fields())
        feature.setGeometry(geometry)
        feature.setAttributes(list(values))
        features.append(feature)
    assert layer.dataProvider().addFeatures(features)[0]
    layer.updateExtents()
    return layer


def points(spots, crs: str = CRS, grid: Grid = GRID) -> QgsVectorLayer:
    """Prompt points from (object, col, row, label)."""
    return vector(
        "Point",
        [(QgsGeometry.fromPointXY(xy(c, r, crs, grid)), (n, label)) for n, c, r, label in spots],
        crs,
    )


def box(window, crs: str = CRS, grid: Grid = GRID) -> QgsGeometry:
    """A rectangle over a window (col, row, width, height), its corners moved one by one."""
    col, row, width, height = window
    ring = [(col, row), (col + width, row), (col + width, row + height), (col, row + height)]
    return QgsGeometry.fromPolygonXY([[xy(c, r, crs, grid) for c, r in [*ring, ring[0]]]])


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def drawn(layer: QgsVectorLayer, grid: Grid = GRID) -> dict:
    """{object: mask (rows, cols)} of a layer of outlines."""
    found: dict = {}
    for feature in layer.getFeatures():
        shape = (json.loads(feature.geometry().asJson(9)), 1)
        found.setdefault(int(feature["object"]), []).append(shape)
    return {n: rasters.burn(shapes, grid).astype(bool) for n, shapes in found.items()}


def card(bands=("green", "nir"), **hyper) -> dict:
    """A complete MLM item for the models made here; ``hyper`` changes its hyperparameters."""
    settings = {
        "tile": 32, "halo": 2, "activation": "logits", "unit": "reflectance",
        "pixel_size_range_m": [5, 20], **hyper,
    }  # fmt: skip
    source = {
        "name": "image", "bands": list(bands), "value_scaling": None,
        "input": {"shape": [-1, len(bands), -1, -1], "data_type": "float32",
                  "dim_order": ["batch", "bands", "height", "width"]},
    }  # fmt: skip
    result = {
        "name": "scores", "tasks": ["semantic-segmentation"],
        "classification:classes": [
            {"value": i + 1, "name": f"most {band}", "title": f"most {band}"}
            for i, band in enumerate(bands)
        ],
        "result": {"shape": [-1, len(bands), -1, -1], "data_type": "float32",
                   "dim_order": ["batch", "class", "height", "width"]},
    }  # fmt: skip
    properties = {
        "datetime": None, "license": "CC0-1.0", "mlm:name": "mean5",
        "mlm:tasks": ["semantic-segmentation"], "mlm:input": [source], "mlm:output": [result],
        "mlm:hyperparameters": {k: v for k, v in settings.items() if v is not None},
    }  # fmt: skip
    return {"type": "Feature", "stac_version": "1.1.0", "id": "mean5", "geometry": None,
            "properties": properties, "assets": {}, "links": []}  # fmt: skip


def model(path: Path, item: dict | None, bands: int = 2, inputs: int = 1, rank: int = 4) -> str:
    """An ONNX graph whose scores are the 5 x 5 mean of each band, with ``item`` as its card."""
    weight = np.full((bands, 1, 5, 5), 1 / 25, np.float32)
    sizes = ["n", bands, "h", "w"][:rank]
    sources = [helper.make_tensor_value_info("image", TensorProto.FLOAT, sizes)]
    sources += [
        helper.make_tensor_value_info(f"more{i}", TensorProto.FLOAT, sizes)
        for i in range(1, inputs)
    ]
    if rank == 4:
        nodes = [helper.make_node("Conv", ["image", "w"], ["scores"], group=bands,
                                  kernel_shape=[5, 5], pads=[2, 2, 2, 2])]  # fmt: skip
    else:
        nodes = [helper.make_node("Identity", ["image"], ["scores"])]
    graph = helper.make_graph(
        nodes, "mean5", sources,
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, sizes)],
        [numpy_helper.from_array(weight, "w")] if rank == 4 else [],
    )  # fmt: skip
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 8
    if item is not None:
        entry = made.metadata_props.add()
        entry.key, entry.value = "stac:mlm", json.dumps(item)
    onnx.save(made, str(path))
    return str(path)


def snapshot(folder: Path) -> dict:
    """{relative name: digest} of everything below a folder, hidden files too."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
