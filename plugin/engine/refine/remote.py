"""Tiles of a refinement done by a Dask worker: the prepared engine travels, rasters stay.

What is learnt of the whole map is learnt here, before; the workers answer tiles. They need
scikit-image, scipy and scikit-learn, and see image, map, reference and the output's folder (where
regions and a model's answers are kept until the end) under the same paths.
"""

from __future__ import annotations

import io
import pickle
import threading

from ..errors import ConcordError
from ..grid import Grid, Tile, Window
from ..labels import ClassRaster
from ..progress import SILENT, Progress
from ..scene import Scene
from .source import RasterSource

_ROOT = __name__.rpartition(".plugin.engine.")[0]
_lock = threading.Lock()
_jobs: dict = {}  # one run at a time; an older one is dropped


class _Pickler(pickle.Pickler):
    """Leaves out what a worker has of its own: rasters and the one who looks at the progress."""

    def persistent_id(self, obj):
        if isinstance(obj, RasterSource):
            return "source"
        return "progress" if isinstance(obj, Progress) else None


class _Unpickler(pickle.Unpickler):
    """Takes the classes of the sender's package from this copy of it."""

    def __init__(self, file, root: str, source: RasterSource):
        super().__init__(file)
        self._root, self._source = root, source

    def find_class(self, module, name):
        if module.startswith(f"{self._root}."):
            module = _ROOT + module[len(self._root) :]
        return super().find_class(module, name)

    def persistent_load(self, pid):
        return self._source if pid == "source" else SILENT


def errand_of(job) -> tuple:
    """(spec, blob) of a ``run.Job``: plain values, and the prepared engine with its guards."""
    source, grid = job.source, job.grid
    spec = {
        "root": _ROOT,
        "images": list(dict.fromkeys(s.path for s in source.scene.sources.values())),
        "grid": [grid.crs, list(grid.transform), grid.width, grid.height],
        "labels": source.labels.path,
        "truth": job.truth.path if job.truth is not None else None,
        "bands": [list(source.planes.bands), [list(pair) for pair in source.planes.limits]],
        "codes": [int(code) for code in source.codes],
    }
    packed = io.BytesIO()
    _Pickler(packed, protocol=4).dump((job.engine, job.guards, source.scaling))
    return spec, packed.getvalue()


def _built(spec: dict, blob: bytes):
    from ..segment.composite import Composite
    from .run import Job

    crs, transform, width, height = spec["grid"]
    grid = Grid(crs, tuple(transform), width, height)
    bands, limits = spec["bands"]
    planes = Composite(tuple(bands), tuple(tuple(pair) for pair in limits))
    source = RasterSource(
        Scene(spec["images"], grid), ClassRaster(spec["labels"], grid), planes, spec["codes"]
    )
    engine, guards, source.scaling = _Unpickler(io.BytesIO(blob), spec["root"], source).load()
    truth = ClassRaster(spec["truth"], grid) if spec["truth"] else None
    return Job(source, engine, guards, grid, truth)


def answer(key: str, spec: dict, blob: bytes, tile) -> tuple:
    """("done", arrays of the tile) or ("error", text)."""
    from .run import answer as answered

    try:
        with _lock:
            if key not in _jobs:
                _jobs.clear()
                _jobs[key] = _built(spec, blob)
            job = _jobs[key]
        return "done", answered(job, Tile(Window(*tile[0]), Window(*tile[1])))
    except ConcordError as error:
        return "error", str(error)
    except ImportError as error:
        return "error", f"A worker of the cluster lacks a package ({error}); install it there."
