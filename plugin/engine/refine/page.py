"""The refinement report as a page."""

from __future__ import annotations

from .. import pictures, plots, report
from ..taxonomy import Taxonomy
from .shifted import in_words

_HELD = {
    "unsure": "their class may not change",
    "protected": "their class is protected",
    "margin": "too narrow a lead",
    "small_object": "small objects that the image supports",
    "mapping_unit": "a patch below the minimum would be left",
}
BEFORE, AFTER = "#9aa5b1", "#2f6fbf"  # told apart in grey as well


def write_report(path: str, values: dict, scheme: Taxonomy) -> dict:
    """The report as HTML and JSON; quality only where a reference was given."""
    figures = [
        ("Engine", values["engine"]),
        ("Settings", values["settings"]),
        ("Margin", values["margin"]),
        ("Minimum mapping unit (pixels)", values["minimum_mapping_unit"]),
        ("Composite", values["composite"]),
        ("Labelled pixels", values["pixels"]),
        ("Changed pixels", values["changed"]),
        ("Changed share", percent(values["changed_share"])),
        ("Proposals", values["regions"]),
        ("Seconds", values["seconds"]),
    ]
    figures += [
        (f"Pixels held back: {_HELD.get(name, name)}", n) for name, n in values["held_back"].items()
    ]
    sections = [
        report.Section("Figures", header=("what", "value"), rows=tuple(figures),
                       notes=tuple(values["notes"])),
    ]  # fmt: skip
    if values["noise"]:
        sections.append(
            report.Section("The noise, as estimated", header=("what", "value"),
                           rows=_noise_rows(values["noise"]))
        )  # fmt: skip
    sections += quality_sections(values["quality"], values["details"])
    sections += change_sections(values)
    bands = [part.split()[0] for part in values["composite"].split("; ")]
    shown = (
        ("image", pictures.of_scene(values["image"], bands)),
        ("before", pictures.of_classes(values["labels"], scheme)),
        ("after", pictures.of_classes(values["output"], scheme)),
    )
    sections.append(report.Section("Maps", pictures=shown))
    lead = "Every change is a proposal; the old map was not touched."
    return report.write(path, values, "Refined map", lead, sections)


def percent(share: float) -> str:
    """A share from 0 to 1 in words."""
    return f"{100 * share:.3g} %"


def _noise_rows(noise: dict) -> tuple:
    """What was estimated, in words; what was not looked at is left out."""
    told = [
        ("Reason", noise["reason"]),
        ("Kind", "none found" if noise["kind"] == "none" else noise["kind"]),
        # Of some kinds it is known that they are there, not how many pixels they made wrong.
        ("Pixels thought wrong", percent(noise["rate"]) if noise["rate"] else None),
        ("Pixels that all their neighbours contradict", percent(noise["speckle_share"])),
    ]
    if noise["shift_rows_cols"]:
        told.append(("Shift that fits the image's edges best", in_words(noise["shift_rows_cols"])))
        told.append(("How far it stands out (1: not at all)", noise["shift_gain"]))
    if noise["block_size"] is not None:
        told.append(("Side of the blocks, if there are any (pixels)", noise["block_size"]))
        told.append(("Turn of the blocks (degrees)", noise["block_angle"]))
        told.append(("Strength of the blocks (0 to 1)", noise["block_strength"]))
    if noise["model_disagreement"] is not None:
        told.append(("Pixels a model sees otherwise", percent(noise["model_disagreement"])))
    return tuple((name, value) for name, value in told if value is not None)


def quality_sections(quality: dict | None, details: dict | None) -> list:
    """Overall figures and the classes, before and after."""
    if not quality:
        return []
    plain = {k: v for k, v in {**quality, **details}.items() if not k.startswith("classes_")}
    rows = tuple((k.replace("_", " "), v) for k, v in plain.items())
    by_code = {c["code"]: c for c in details["classes_before"]}
    pairs = tuple(
        (c["name"], by_code.get(c["code"], {}).get("f1"), c["f1"],
         by_code.get(c["code"], {}).get("iou"), c["iou"])
        for c in details["classes_after"]
    )  # fmt: skip
    return [
        report.Section("Against the reference", header=("what", "value"), rows=rows),
        report.Section(
            "Classes against the reference",
            header=("class", "F1 before", "F1 after", "IoU before", "IoU after"), rows=pairs,
        ),
    ]  # fmt: skip


def change_sections(values: dict) -> list:
    """What changed into what, the transition matrix, and areas."""
    matrix = values["matrix"]
    total = max(1, values["pixels"])
    held = [c for c in values["classes"] if c["before"] or c["after"]]
    area = [("before", BEFORE, [100 * c["before"] / total for c in held]),
            ("after", AFTER, [100 * c["after"] / total for c in held])]  # fmt: skip
    drawn = (
        ("Area before and after",
         plots.bars("Area, % of the labelled pixels", [c["name"] for c in held], area, " %")),
        ("What became of each class",
         plots.confusion("What became of each class, % of a row", matrix["names"],
                         matrix["pixels"], "before", columns="after", codes=matrix["codes"])),
    )  # fmt: skip
    plotted = [report.Section("In pictures", drawings=drawn)] if held else []
    return [
        *plotted,
        report.Section(
            "Changes", header=("from", "to", "pixels"),
            rows=tuple((t["from_name"], t["to_name"], t["pixels"])
                       for t in values["transitions"][:40]),
        ),
        report.Section(
            "Transition matrix (pixels; rows before, columns after)",
            header=("", *matrix["names"]),
            rows=tuple((n, *row) for n, row in zip(matrix["names"], matrix["pixels"])),
        ),
        _class_areas(values["classes"]),
    ]  # fmt: skip


def _class_areas(classes: list) -> report.Section:
    """Hectares, or what the map counts in where its CRS tells no more."""
    known = all(c["hectares_before"] is not None for c in classes)
    unit, key = ("hectares", "hectares") if known else ("map units squared", "area")
    return report.Section(
        f"Area of the classes ({unit})", header=("class", "before", "after", "change"),
        rows=tuple((c["name"], c[f"{key}_before"], c[f"{key}_after"],
                    c[f"{key}_change"]) for c in classes),
    )  # fmt: skip
