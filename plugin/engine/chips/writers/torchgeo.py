"""Folders for TorchGeo's RasterDataset, with a small dataset module written beside them."""

from __future__ import annotations

from pathlib import Path

from ...taxonomy import IGNORE, NO_DATA
from . import base


def _file(sample: base.Sample, cut) -> str:
    date = _date(cut.image, sample.setup)
    return f"{sample.id}_{date}.tif" if date else f"{sample.id}.tif"


def _date(image, setup: base.Setup) -> str:
    dates = [setup.wish.date] if setup.wish.date else image.dates
    return dates[0].replace("-", "") if len(set(dates)) == 1 else ""


def chip(sample: base.Sample) -> tuple:
    """One folder an image and split, one for masks."""
    files = {
        f"images/{cut.name}/{sample.split}/{_file(sample, cut)}": sample.tiff(cut)
        for cut in sample.cuts
    }
    files[f"masks/{sample.split}/{sample.id}.tif"] = sample.label_tiff
    return files, {}


_HEAD = '''"""{title}: TorchGeo datasets of these chips. Licence of the data: {licence}.

    from dataset import Masks, {first}
    train = {first}(root, "train") & Masks(root, "train")

0 is no data and {ignore} is ignore in the masks.
"""

from pathlib import Path

from torchgeo.datasets import RasterDataset

CLASSES = {classes}


class Masks(RasterDataset):
    filename_glob = "*.tif"
    is_image = False

    def __init__(self, root=Path(__file__).parent, split="train", **more):
        super().__init__(Path(root) / "masks" / split, **more)
'''

_IMAGE = """

class {name}(RasterDataset):
    filename_glob = "*.tif"
    filename_regex = r"{regex}"
    date_format = "%Y%m%d"
    all_bands = {bands}
    rgb_bands = {rgb}

    def __init__(self, root=Path(__file__).parent, split="train", **more):
        super().__init__(Path(root) / "images" / "{folder}" / split, **more)
"""


def _class_name(name: str) -> str:
    words = "".join(part[:1].upper() + part[1:] for part in name.replace("-", "_").split("_"))
    return words if words[:1].isalpha() else f"Image{words}"


def finish(entries, setup: base.Setup):
    """The module with one class an image and one for the masks."""
    names: dict = {}
    for image in setup.images:
        name = _class_name(image.name)
        while name in names.values() or name == "Masks":
            name += "_"
        names[image.name] = name
    classes = {NO_DATA: "no data", **setup.scheme.names, IGNORE: "ignore"}
    text = _HEAD.format(
        title=setup.title.replace('"', "'").replace("\\", "/"), licence=setup.wish.licence,
        first=names[setup.images[0].name], ignore=IGNORE, classes=repr(classes),
    )  # fmt: skip
    for image in setup.images:
        bands = tuple(b.name for b in image.bands)
        rgb = tuple(b for b in ("red", "green", "blue") if b in bands)
        dated = r"_(?P<date>\d{8})" if _date(image, setup) else ""
        text += _IMAGE.format(
            name=names[image.name], folder=image.name, bands=repr(bands),
            rgb=repr(rgb if len(rgb) == 3 else bands[:1]), regex=rf"^.+{dated}\.tif$",
        )  # fmt: skip
    yield "dataset.py", text


def check(folder: Path, codes: set):
    """The module is Python, every mask has known codes and an image."""
    module = folder / "dataset.py"
    try:
        compile(module.read_text(encoding="utf-8"), "dataset.py", "exec")
    except (OSError, SyntaxError, ValueError) as error:
        yield "format", "torchgeo/dataset.py", f"cannot be read ({error})"
    images = sorted(folder.glob("images/*/*/*.tif"))
    covered = {(path.parent.name, path.stem) for path in images}
    stems = {(where, stem[:-9]) for where, stem in covered if stem[-9:-8] == "_"}
    for path in sorted(folder.glob("masks/*/*.tif")):
        name = f"torchgeo/{path.relative_to(folder).as_posix()}"
        yield from base.raster_problems(path, codes | {NO_DATA, IGNORE}, name)
        if (path.parent.name, path.stem) not in covered | stems:
            yield "files", name, "has no image"


FORMATS = (base.Format("torchgeo", "TorchGeo folders", chip, finish, check),)
