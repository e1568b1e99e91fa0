"""Tables as CSV, and as Parquet where pyarrow is there."""

from __future__ import annotations

import csv
import io
import json
import struct
from collections.abc import Iterable, Iterator

from .. import packages
from ..errors import ConcordError


def has_parquet() -> bool:
    """Asked by importing it: a pyarrow for another numpy is found and cannot be used."""
    if packages.missing("pyarrow"):
        return False
    try:
        import pyarrow.parquet  # noqa: F401 (the question is whether it can be)
    except ImportError:
        return False
    return True


def require_parquet() -> None:
    """Raise ConcordError when Parquet cannot be written here."""
    if not has_parquet():
        raise ConcordError(
            "Parquet needs a pyarrow that fits QGIS's numpy; install it with 'python3 -m pip "
            "install pyarrow' in QGIS's Python, or choose csv."
        )


def csv_lines(header: tuple, rows: Iterable) -> Iterator:
    """CSV text line by line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in (header, *rows) if isinstance(rows, (list, tuple)) else _chain(header, rows):
        text.seek(0)
        text.truncate()
        writer.writerow(row)
        yield text.getvalue()


def _chain(header: tuple, rows: Iterable) -> Iterator:
    yield header
    yield from rows


def parquet(columns: dict) -> bytes:
    """A Parquet file of {column: list}; the same bytes for the same values."""
    import pyarrow
    import pyarrow.parquet

    memory = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), memory, compression="zstd")
    return memory.getvalue()


def geo_parquet(rows: list) -> bytes:
    """GeoParquet 1.0 of rows with a GeoJSON polygon under ``geometry``, in longitude/latitude."""
    import pyarrow
    import pyarrow.parquet

    names = [name for name in (rows[0] if rows else {"geometry": 0}) if name != "geometry"]
    table = pyarrow.table(
        {
            **{name: [row[name] for row in rows] for name in names},
            "geometry": pyarrow.array([_wkb(row["geometry"]) for row in rows], pyarrow.binary()),
        }
    )
    about = {
        "version": "1.0.0", "primary_column": "geometry",
        "columns": {"geometry": {"encoding": "WKB", "geometry_types": ["Polygon"]}},
    }  # fmt: skip
    table = table.replace_schema_metadata({b"geo": json.dumps(about).encode()})
    memory = io.BytesIO()
    pyarrow.parquet.write_table(table, memory, compression="zstd")
    return memory.getvalue()


def _wkb(geometry: dict) -> bytes:
    rings = geometry["coordinates"]
    out = [struct.pack("<BII", 1, 3, len(rings))]
    for ring in rings:
        out.append(struct.pack("<I", len(ring)))
        out += [struct.pack("<dd", *spot) for spot in ring]
    return b"".join(out)
