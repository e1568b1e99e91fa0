"""The refinement report as a page."""

from __future__ import annotations

from .. import pictures, report
from ..taxonomy import Taxonomy


def write_report(path: str, values: dict, scheme: Taxonomy) -> dict:
    """The report as HTML and JSON; quality only where a reference was given."""
    figures = [
        ("Engine", values["engine"]),
        ("Settings", values["settings"]),
        ("Margin", values["margin"]),
        ("Composite", values["composite"]),
        ("Labelled pixels", values["pixels"]),
        ("Changed pixels", values["changed"]),
        ("Changed share", values["changed_share"]),
        ("Proposals", values["regions"]),
        ("Seconds", values["seconds"]),
    ]
    figures += [(f"Held back: {name}", count) for name, count in values["held_back"].items()]
    sections = [
        report.Section("Figures", header=("what", "value"), rows=tuple(figures),
                       notes=tuple(values["notes"])),
    ]  # fmt: skip
    if values["quality"]:
        rows = tuple((k.replace("_", " "), v) for k, v in values["quality"].items())
        sections.append(
            report.Section("Against the reference", header=("what", "value"), rows=rows)
        )
    sections.append(
        report.Section(
            "Changes", header=("from", "to", "pixels"),
            rows=tuple((t["from_name"], t["to_name"], t["pixels"])
                       for t in values["transitions"][:40]),
        )
    )  # fmt: skip
    sections.append(
        report.Section(
            "Area of the classes (map units squared)", header=("class", "before", "after"),
            rows=tuple((c["name"], c["area_before"], c["area_after"]) for c in values["classes"]),
        )
    )  # fmt: skip
    bands = [part.split()[0] for part in values["composite"].split("; ")]
    shown = (
        ("image", pictures.of_scene(values["image"], bands)),
        ("before", pictures.of_classes(values["labels"], scheme)),
        ("after", pictures.of_classes(values["output"], scheme)),
    )
    sections.append(report.Section("Maps", pictures=shown))
    lead = "Every change is a proposal; the old map was not touched."
    return report.write(path, values, "Refined map", lead, sections)
