"""Which optional packages are there, asked without importing them."""

from __future__ import annotations

import importlib.util

# import name -> what pip calls it
PIP_NAMES = {
    "rasterio": "rasterio",
    "onnxruntime": "onnxruntime",
    "skimage": "scikit-image",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "onnx": "onnx",
    "affine": "affine",
    "distributed": "distributed",
}


def missing(*names: str) -> list[str]:
    """The import names out of ``names`` that cannot be found."""
    absent = []
    for name in names:
        try:
            found = importlib.util.find_spec(name) is not None
        except (ImportError, ValueError):
            found = False
        if not found:
            absent.append(name)
    return absent


def lacking(error: ModuleNotFoundError) -> str:
    """The sentence for an import that failed; '' when it is none of the optional packages."""
    name = (error.name or "").split(".")[0]
    return sentence([name]) if name in PIP_NAMES else ""


def sentence(absent: list[str]) -> str:
    """One sentence that says what is missing and how to get it."""
    wanted = " ".join(PIP_NAMES.get(name, name) for name in absent)
    noun = "package" if len(absent) == 1 else "packages"
    return (
        f"This needs the Python {noun} {wanted.replace(' ', ', ')}; install with "
        f"'python3 -m pip install {wanted}' in QGIS's Python and restart QGIS."
    )
