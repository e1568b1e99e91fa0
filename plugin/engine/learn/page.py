"""The training report as a page."""

from __future__ import annotations

from .. import report


def write_report(path: str, values: dict) -> dict:
    """The report as HTML and JSON."""
    quality = values["quality"]
    names = {c["code"]: c["name"] for c in values["classes"]}
    figures = [
        ("Method", values["method"]),
        ("Bands", ", ".join(values["bands"])),
        ("Derived bands", ", ".join(values["derived"]) or "none"),
        ("Windows (pixels)", ", ".join(map(str, values["settings"]["windows"])) or "none"),
        ("Features of", _encoder(values["encoder"])),
        ("Training pixels", values["samples"]),
        ("Seconds to the model", values["seconds_to_model"]),
        ("Largest difference from scikit-learn", values["onnx_against_scikit_learn"]["largest"]),
    ]
    notes = []
    if quality["folds"]:
        figures += [
            ("Held-out accuracy", quality["accuracy"]),
            ("Kappa", quality["kappa"]),
            ("Mean IoU", quality["mean_iou"]),
            ("Block side (pixels)", quality["block_pixels"]),
        ]
    else:
        notes.append(f"There is no cross-validation: {quality['note']}.")
    sections = [report.Section("Figures", header=("what", "value"), rows=tuple(figures),
                               notes=tuple(notes))]  # fmt: skip
    if quality["folds"]:
        sections += _quality(quality, names)
    rows = tuple((c["name"], c["labelled"], c["used"]) for c in values["classes"])
    sections.append(report.Section("Labels", header=("class", "labelled", "used"), rows=rows))
    lead = "Every figure of quality comes from blocks of land that the classifier had not seen."
    return report.write(path, values, "Trained model", lead, sections)


def _encoder(one: dict | None) -> str:
    if one is None:
        return "no encoder"
    how = "alone" if one["alone"] else "beside the bands"
    return f"{one['id']}: {one['features']} maps {how}, seeing {one['halo']} pixels around"


def _quality(quality: dict, names: dict) -> list:
    codes = [names[c] for c in quality["codes"]]
    sections = [
        report.Section(
            "Classes", header=("class", "producer's accuracy", "user's accuracy", "IoU"),
            rows=tuple((names[c["code"]], c["producer"], c["user"], c["iou"])
                       for c in quality["per_class"]),
        ),
        report.Section(
            "Confusion: rows are labels, columns predictions", header=("", *codes),
            rows=tuple((name, *row) for name, row in zip(codes, quality["confusion"])),
        ),
        report.Section(
            "Importance: accuracy lost when a source is shuffled",
            header=("band, or all maps of the encoder", "accuracy lost"),
            rows=tuple((i["source"], i["accuracy_lost"]) for i in
                       sorted(quality["importance"], key=lambda i: -i["accuracy_lost"])),
        ),
        report.Section(
            "Learning curve", header=("training pixels", "held-out accuracy"),
            rows=tuple((p["pixels"], p["accuracy"]) for p in quality["learning_curve"]),
        ),
    ]  # fmt: skip
    if quality["one_layer_out"]:
        sections.append(
            report.Section(
                "Leaving one layer out", header=("layer", "accuracy lost"),
                rows=tuple((i["layer"], i["accuracy_lost"]) for i in quality["one_layer_out"]),
            )
        )  # fmt: skip
    return sections
