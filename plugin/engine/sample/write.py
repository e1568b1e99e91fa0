"""The sample scene as files, the way a user's own products would lie in a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .. import files, rasters, taxonomy
from ..progress import SILENT, Progress
from .scene import CRS, Sample

TAXONOMY = "concord-sample"
TAGS = {"CONCORD_SYNTHETIC": "yes"}
README = """This folder is synthetic. No satellite, camera or person made anything in it.

Concord generated it from seed {seed}: {size} x {size} pixels of 10 m in {crs}. The place on the
map means nothing. Use it to try Concord; measure nothing about the real world with it.

imagery/  S2_SAMPLE_B02, B03, B04, B08: as Sentinel-2 (reflectance x 10,000, 0 = no data)
          S1_SAMPLE_VV, VH: as Sentinel-1 (dB, with speckle)
          DEM_SAMPLE: elevation in metres, 20 m
labels/   truth: what is really there
          landcover_noisy: a map of a coarser sensor, {noisy:.0f} % of it wrong
          annotator_NAME: what three annotators drew, 0 = left out
          ({people})
          prompts.geojson: clicks on {objects} objects (label 1 = part of it, 0 = not)
          prompt_objects: the true outline of these objects
Classes: {classes}.
"""


def write(folder: str | Path, sample: Sample, progress: Progress = SILENT) -> dict:
    """Write the sample into ``folder``; returns {name: path}.

    Names: blue, green, red, nir, vv, vh, dem, truth, noisy, one for each annotator, objects,
    prompts, readme. Rasters carry the tag CONCORD_SYNTHETIC=yes, class rasters the colours and
    names of the taxonomy concord-sample.

    Raises:
        ConcordError: the folder cannot be written.
        Cancelled: the user stopped the run; files already complete stay.
    """
    folder = Path(folder)
    jobs = [*_images(folder / "imagery", sample), *_labels(folder / "labels", sample)]
    paths = {}
    for number, (name, path, array, grid, description) in enumerate(jobs):
        progress.report(number, len(jobs), f"writing {path.name}", "files")
        rasters.write(path, array, grid, tags=TAGS, **description)
        paths[name] = path
    paths["prompts"] = folder / "labels" / "prompts.geojson"
    files.write_json(paths["prompts"], prompts_geojson(sample))
    paths["readme"] = folder / "README.txt"
    files.write_text(paths["readme"], _readme(sample))
    progress.report(len(jobs), len(jobs), "sample scene written", "files")
    return paths


def _images(folder: Path, sample: Sample) -> list:
    # As in the products: no band names or units inside, the file name says what it is.
    numbers = np.clip(np.rint(sample.optical * 10_000), 1, 65_535).astype(np.uint16)
    jobs = [
        (name, folder / f"S2_SAMPLE_{band}.tif", plane, sample.grid, {"nodata": 0})
        for name, band, plane in zip(
            ("blue", "green", "red", "nir"), ("B02", "B03", "B04", "B08"), numbers
        )
    ]
    for name, plane in zip(("vv", "vh"), sample.radar):
        path = folder / f"S1_SAMPLE_{name.upper()}.tif"
        jobs.append((name, path, plane, sample.grid, {}))
    path = folder / "DEM_SAMPLE.tif"
    jobs.append(("dem", path, sample.elevation, sample.elevation_grid, {}))
    return jobs


def _labels(folder: Path, sample: Sample) -> list:
    scheme = taxonomy.load(TAXONOMY)
    description = {"nodata": 0, "colours": scheme.colours, "categories": scheme.names}
    planes = {"truth": sample.truth, "noisy": sample.noisy, **sample.annotators}
    stems = {"truth": "truth", "noisy": "landcover_noisy"}
    jobs = [
        (name, folder / f"{stems.get(name, 'annotator_' + name)}.tif", plane)
        for name, plane in planes.items()
    ]
    jobs = [(*job, sample.grid, description) for job in jobs]
    jobs.append(
        ("objects", folder / "prompt_objects.tif", sample.objects, sample.grid, {"nodata": 0})
    )
    return jobs


def prompts_geojson(sample: Sample) -> dict:
    """The prompts as a GeoJSON mapping in the scene's CRS.

    RFC 7946 knows only longitude and latitude; the crs member of the older GeoJSON 2008, which
    GDAL reads, keeps the coordinates exact.
    """
    features = []
    for prompt in sample.prompts:
        x, y = sample.grid.xy(prompt.col + 0.5, prompt.row + 0.5)
        features.append(
            {
                "type": "Feature",
                "properties": {
                    "object": prompt.object,
                    "label": prompt.label,
                    "kind": prompt.kind,
                },
                "geometry": {"type": "Point", "coordinates": [x, y]},
            }
        )
    code = CRS.split(":")[1]
    return {
        "type": "FeatureCollection",
        "name": "prompts",
        "crs": {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{code}"}},
        "features": features,
    }


def _readme(sample: Sample) -> str:
    people = []
    for name, labels in sample.annotators.items():
        seen = labels > 0
        right = 100 * (labels == sample.truth)[seen].mean()
        people.append(f"{name} {right:.0f} % right")
    classes = (f"{code} {name}" for code, name in taxonomy.load(TAXONOMY).names.items())
    return README.format(
        seed=sample.seed,
        size=sample.size,
        crs=CRS,
        noisy=100 * (sample.noisy != sample.truth).mean(),
        people=", ".join(people),
        objects=len(np.unique(sample.objects)) - 1,
        classes=", ".join(classes),
    )
