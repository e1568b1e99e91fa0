"""The parameters that exporting chips and previewing their split share."""

from __future__ import annotations

from qgis.core import (
    QgsProcessing,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from ..bridge import capture, chips
from ..bridge.text import tr

__all__ = [
    "capture_wish",
    "define_cut",
    "define_gate",
    "define_inputs",
    "define_output",
    "define_split",
    "licence_problem",
    "tell",
    "tr",
    "wish_of",
]

_INTEGER = QgsProcessingParameterNumber.Type.Integer
_DOUBLE = QgsProcessingParameterNumber.Type.Double
_ADVANCED = QgsProcessingParameterDefinition.Flag.FlagAdvanced

# name, title, integer, default, least, help, advanced
_CUT = (
    ("CHIP_SIZE", "Chip size", True, 256, 8, "Side of a chip in pixels.", False),
    ("CHIP_HEIGHT", "Chip height", True, None, 8, "Rows, where chips are not square.", True),
    ("STRIDE", "Stride", True, None, 1, "Pixels from chip to chip; left out, the size.", False),
    ("ROTATION", "Rotation", False, 0, -180,
     "Degrees that the chips are turned by, anticlockwise; 0 leaves every pixel as it is.", True),
    ("CELL", "Major TOM cell", False, 0, 0,
     "Spacing in km of the Major TOM cell put before every id; 0 for none.", True),
)  # fmt: skip
_GATE = (
    ("MIN_SCORE", "Least posterior", False, 0, 0,
     "Mean posterior of the labelled pixels, 0 to 1 (or percent above 1).", False),
    ("MIN_LABELLED", "Least labelled share", False, 0, 0,
     "Share of pixels with a class, 0 to 1 (or percent above 1).", False),
    ("MIN_AGREEMENT", "Least agreement", False, 0, 0,
     "Mean agreement of the labelled pixels, 0 to 1; needs AGREEMENT.", True),
    ("MAX_UNDECIDED", "Largest undecided share", False, 1, 0,
     "Share of ignored pixels (255), 0 to 1.", True),
    ("MIN_ANNOTATORS", "Least annotators", True, 0, 0,
     "Median number of annotators a labelled pixel; needs VOTES.", True),
    ("MIN_CLEAR", "Least clear share", False, 0, 0, "Share of clear pixels; needs CLEAR.", True),
    ("MIN_MATCH", "Least object match", False, 0, 0,
     "Share of objects that MATCH has too, 0 to 1.", True),
    ("MAX_NODATA", "Largest share without data", False, 1, 0,
     "Share of pixels that an image lacks, 0 to 1.", True),
    ("LOW_BELOW", "Unsure below", False, 0, 0,
     "Posterior under which LOW applies to a pixel, 0 to 1 (or percent above 1).", True),
    ("DUPLICATES", "Near-duplicates above", False, 0, 0,
     "Similarity of chips' embeddings above which only one stays, 0 to 1; 0 keeps all.", True),
    ("CAP_CLASS", "Most chips a class", True, 0, 0, "0 for no cap.", True),
    ("CLUSTERS", "Clusters", True, 0, 0, "Groups of alike chips; 0 for none.", True),
    ("CAP_CLUSTER", "Most chips a cluster", True, 0, 0, "0 for no cap.", True),
    ("TARGET", "Target number", True, 0, 0, "Most chips in all; 0 for no limit.", True),
)  # fmt: skip
_SPLIT = (
    ("BLOCK", "Block", False, None, 0,
     "Side of the blocks dealt to the splits, in map units; left out, four chips.", False),
    ("BUFFER", "Buffer", False, None, 0,
     "Least distance between splits in map units; left out, one chip; 0 for none.", False),
    ("SEED", "Seed", True, 0, 0, "Decides which block goes where.", False),
)  # fmt: skip


def _numbers(algorithm, rows) -> None:
    for name, title, integer, default, least, help_text, advanced in rows:
        parameter = QgsProcessingParameterNumber(
            name, tr(title), _INTEGER if integer else _DOUBLE, default, optional=True,
            minValue=least,
        )  # fmt: skip
        _add(algorithm, parameter, help_text, advanced)


def _text(algorithm, name, title, default, help_text, advanced=True, optional=True) -> None:
    parameter = QgsProcessingParameterString(name, tr(title), default, optional=optional)
    _add(algorithm, parameter, help_text, advanced)


def _raster(algorithm, name, title, help_text, advanced=True) -> None:
    parameter = QgsProcessingParameterRasterLayer(name, tr(title), optional=True)
    _add(algorithm, parameter, help_text, advanced)


def _polygons(algorithm, name, title, help_text) -> None:
    parameter = QgsProcessingParameterFeatureSource(
        name, tr(title), [QgsProcessing.SourceType.TypeVectorPolygon], optional=True
    )
    _add(algorithm, parameter, help_text, True)


def _add(algorithm, parameter, help_text: str, advanced: bool) -> None:
    if advanced:
        parameter.setFlags(parameter.flags() | _ADVANCED)
    algorithm.add(parameter, help_text)


def define_inputs(algorithm) -> None:
    """Images, labels, consensus."""
    algorithm.add_rasters("IMAGERY", "Images")
    algorithm.add(QgsProcessingParameterRasterLayer("LABELS", tr("Labels")))
    _raster(
        algorithm, "CONSENSUS", "Consensus",
        "Raster with the posterior in percent in its second band, as consensus writes it, or in "
        "its only one.", False,
    )  # fmt: skip
    _raster(algorithm, "AGREEMENT", "Agreement", "Raster of agreement in percent.")
    _raster(algorithm, "CLEAR", "Clear", "Raster that is above 0 where there is no cloud.")
    _raster(algorithm, "VOTES", "Votes", "Raster with the number of annotators a pixel.")
    _raster(algorithm, "MATCH", "Match", "A second class raster, such as another annotator's.")
    _raster(
        algorithm, "GRID", "Grid",
        "Raster whose grid the labels are brought on by nearest pixel; left out, their own.",
    )  # fmt: skip


def define_cut(algorithm) -> None:
    """Size, stride, resolution, dates."""
    _numbers(algorithm, _CUT)
    _text(algorithm, "RESOLUTION", "Resolution", "reference",
          "reference: every image on the labels' grid; native: each at its own; one in another "
          "CRS keeps its pixel size on a grid of the labels' CRS.")  # fmt: skip
    _text(algorithm, "DATES", "Dates", "all",
          "all: every date an image of its own; median: one composite a sensor.")  # fmt: skip


def define_gate(algorithm) -> None:
    """What a chip must hold, what becomes of unsure pixels, what is curated away."""
    _numbers(algorithm, _GATE)
    _text(algorithm, "LOW", "Unsure pixels", "keep",
          "keep, ignore (they become 255) or weight (a weight band).")  # fmt: skip
    _polygons(algorithm, "REVIEW", "Review", "Polygons of tasks with their review stage.")
    _text(algorithm, "REVIEW_FIELD", "Stage field", "stage", "Field with the review stage.")
    _text(algorithm, "STAGES", "Stages", "accepted", "Stages that let a chip pass, with ';'.")


def define_split(algorithm) -> None:
    """Shares, blocks, domains."""
    _text(algorithm, "SPLIT", "Split", "70/15/15", "Train / validate / test in percent.", False)
    _numbers(algorithm, _SPLIT)
    _text(algorithm, "SPLIT_BY", "Split by", "blocks",
          "blocks, layer (whole polygons), scene or date.")  # fmt: skip
    _polygons(algorithm, "SPLIT_LAYER", "Split layer",
              "Polygons that are dealt whole to the splits.")  # fmt: skip
    _text(algorithm, "SPLIT_FIELD", "Split field", "",
          "Field with the domain, or with train, validate and test; left out, every polygon is a "
          "domain.")  # fmt: skip


def define_output(algorithm) -> None:
    """Formats, licence, provenance."""
    _text(algorithm, "FORMATS", "Formats", "native", chips.formats_help(), False)
    _text(algorithm, "LICENCE", "Licence", "",
          "SPDX id of the chips' licence, for example CC-BY-4.0; it must be stated.",
          False, False)  # fmt: skip
    _text(algorithm, "SOURCES", "Licences of the inputs", "",
          "file=licence; file=licence; when given, every input must be named.")  # fmt: skip
    _text(algorithm, "DATE", "Date of the images", "",
          "YYYY-MM-DD; left out, it is read from file names.", False)  # fmt: skip
    algorithm.add_taxonomy()
    _text(algorithm, "OBJECTS", "Object classes", "",
          "Codes whose regions are objects, separated by ';'; left out, all.")  # fmt: skip
    _numbers(algorithm, (
        ("MIN_OBJECT", "Least object", True, 1, 1, "Pixels of the smallest object kept.", True),
        ("BOUNDARY", "Boundary width", True, 1, 1, "Pixels of a boundary mask.", True),
        ("THREADS", "Threads", True, 1, 1, "The bytes are the same for any number.", True),
    ))  # fmt: skip
    _text(algorithm, "MASKS", "Further masks", "", "instance;boundary, in the native format.")
    _text(algorithm, "INDEX", "Index", "csv", "csv or parquet (needs pyarrow).")
    _text(algorithm, "CAPTIONS", "Captions", "",
          "draft: one sentence a chip from its class shares; confirmed: a person has approved "
          "them.")  # fmt: skip
    _text(algorithm, "ANNOTATORS", "Annotators", "", "Names, separated by ';', for the datasheet.")
    _text(algorithm, "MODELS", "Models", "", "Model files whose checksum goes into the manifest.")
    _text(algorithm, "RULE", "Consensus rule", "", "In words, for the datasheet.")


def licence_problem(parameters) -> str:
    """A sentence when the licence is missing, or ''."""
    if str(parameters.get("LICENCE") or "").strip():
        return ""
    return tr("The licence of the chips is missing; give an SPDX id such as CC-BY-4.0.")


def capture_wish(algorithm, parameters, context) -> dict:
    """Plain values of every parameter; runs on the main thread."""

    def number(name):
        if parameters.get(name) in (None, ""):
            return None
        return algorithm.parameterAsDouble(parameters, name, context)

    def text(name, otherwise=""):
        found = algorithm.parameterAsString(parameters, name, context)
        return (found or otherwise).strip()

    rows = (*_CUT, *_GATE, *_SPLIT)
    values = {name.lower(): number(name) for name, *_ in rows}
    for name, *_, default, _, _, _ in rows:
        if values[name.lower()] is None:
            values[name.lower()] = default
    for name in ("MIN_OBJECT", "BOUNDARY", "THREADS"):
        values[name.lower()] = int(number(name) or 1)
    for name in ("RESOLUTION", "DATES", "LOW", "SPLIT_BY", "INDEX", "CAPTIONS", "DATE",
                 "TAXONOMY", "LICENCE", "RULE", "SPLIT", "SPLIT_FIELD",
                 "REVIEW_FIELD"):  # fmt: skip
        values[name.lower()] = text(name)
    for name in ("FORMATS", "OBJECTS", "MASKS", "ANNOTATORS", "MODELS", "SOURCES", "STAGES"):
        values[name.lower()] = capture.split_list(parameters.get(name))
    for name in ("LABELS", "CONSENSUS", "AGREEMENT", "CLEAR", "VOTES", "MATCH", "GRID"):
        values[name.lower()] = algorithm.raster(parameters, name, context)
    values["imagery"] = algorithm.rasters(parameters, "IMAGERY", context)
    values["regions"] = []
    if parameters.get("SPLIT_LAYER") not in (None, ""):
        source = algorithm.parameterAsSource(parameters, "SPLIT_LAYER", context)
        values["regions"] = chips.regions(source, values["split_field"])
        values["split_by"] = values["split_by"] if values["split_by"] != "blocks" else "layer"
    values["review"] = []
    if parameters.get("REVIEW") not in (None, ""):
        source = algorithm.parameterAsSource(parameters, "REVIEW", context)
        values["review"] = chips.regions(source, values["review_field"] or "stage")
    return values


def wish_of(values: dict):
    """The engine's wish from captured values; may run in a worker thread."""
    from ..engine import rasters
    from ..engine.chips import curate, domains, plan, split, wish

    def placed(records):
        crs = rasters.info(values["grid"] or values["labels"]).grid.crs if records else ""
        return tuple(
            domains.Region(value, chips.moved(geometry, source, crs))
            for value, geometry, source in records
        )

    gate = plan.Gate(
        _share(values["min_score"]), _share(values["min_labelled"]),
        _share(values["min_agreement"]), _share(values["max_undecided"]),
        values["min_annotators"], _share(values["min_clear"]), _share(values["max_nodata"]),
        _share(values["min_match"]),
    )  # fmt: skip
    picked = curate.Curate(
        _share(values["duplicates"]),
        *(int(values[name]) for name in ("cap_class", "clusters", "cap_cluster", "target")),
    )
    return wish.ExportWish(
        size=int(values["chip_size"]), height=_whole(values["chip_height"]),
        stride=_whole(values["stride"]), cell_km=values["cell"], gate=gate, curate=picked,
        rotation=values["rotation"],
        shares=split.parse_shares(values["split"] or "70/15/15"), block=values["block"] or None,
        buffer=values["buffer"], seed=int(values["seed"]), licence=values["licence"],
        formats=tuple(values["formats"] or ["native"]), taxonomy=values["taxonomy"],
        date=chips.iso_date(values["date"]), grid=values["grid"] or "",
        resolution=values["resolution"] or "reference", dates=values["dates"] or "all",
        low=values["low"] or "keep", low_below=_share(values["low_below"]),
        agreement=values["agreement"] or "", clear=values["clear"] or "",
        votes=values["votes"] or "", split_by=values["split_by"] or "blocks",
        regions=placed(values["regions"]), review=placed(values["review"]),
        stages=tuple(values["stages"] or ["accepted"]), match=values["match"] or "",
        objects=chips.codes(values["objects"]), min_object=values["min_object"],
        boundary_width=values["boundary"], masks=tuple(values["masks"]),
        captions=values["captions"], index=values["index"] or "csv",
        sources=chips.sources(values["sources"]), annotators=tuple(values["annotators"]),
        models=tuple(values["models"]), rule=values["rule"], threads=values["threads"],
    )  # fmt: skip


def _whole(value):
    return int(value) if value else None


def _share(value) -> float:
    """A share from a number: above 1 it is percent."""
    value = value or 0.0
    return value / 100.0 if value > 1 else value


def tell(report: dict, feedback) -> None:
    """The figures of a report as messages."""
    for entry in report["splits"]:
        feedback.pushInfo(f"{entry['split']}: {entry['chips']} chips")
    feedback.pushInfo(f"{report['rejected']} rejected")
    for reason, count in report["reasons"].items():
        feedback.pushInfo(f"  {count}: {reason}")
    for warning in report["warnings"]:
        feedback.pushInfo(warning)
