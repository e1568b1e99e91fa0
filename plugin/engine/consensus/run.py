"""Consensus of class rasters: count, decide, look up, write, report."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from .. import pictures, rasters, report
from ..errors import ConcordError
from ..labels import ClassRaster
from ..progress import SILENT, Progress
from ..taxonomy import IGNORE, NO_DATA, Taxonomy, load, of_raster
from . import aggregate, crowdlab, judge
from .patterns import Lookup
from .votes import Ballot, Patterns

METHODS = ("majority", "dawidskene", "gold", "median", "crowdlab")


def shared_taxonomy(paths, given: str = "", progress: Progress = SILENT) -> Taxonomy:
    """The scheme of several class rasters: the one given, else the first raster's own table.

    Raises:
        ConcordError: a raster holds codes outside the scheme; the file is named.
    """
    if not paths:
        raise ConcordError("No annotation was given; choose one class raster per annotator.")
    infos, codes = [], []
    for path in paths:
        with ClassRaster(path) as raster:
            infos.append(raster.info)
            codes.append(raster.codes(progress))
    if given:  # raster by raster, so that a refusal names the right one
        scheme = load(given)
        for info, present in zip(infos, codes):
            scheme.check(present, info.path)
        return scheme
    named = next((i for i in infos if i.categories), infos[0])
    everything = sorted(set().union(*codes))
    taxonomy = of_raster(named, everything)
    if not taxonomy.classes:
        raise ConcordError(f"{paths[0]} holds no class at all; choose annotated rasters.")
    others = _other_names(named, infos)
    return replace(taxonomy, assumed="; ".join([taxonomy.assumed, *others]))


def _other_names(named, infos) -> list:
    """Where rasters name a code unlike the one whose names are used; their codes still count."""
    found = []
    for info in infos:
        unlike = [
            f"{code} is {name} there and {named.categories[code]} here"
            for code, name in info.categories.items()
            if named.categories.get(code) and name and name != named.categories[code]
        ]
        if unlike:
            name = Path(info.path).name
            found.append(f"{name} has other class names ({unlike[0]}), codes were compared")
    return found


def _require_different(paths) -> None:
    places = [os.path.realpath(path) for path in paths]
    twice = next((p for p, place in zip(paths, places) if places.count(place) > 1), None)
    if twice is not None:
        raise ConcordError(f"{twice} is given twice; give one class raster per annotator.")


def combine(
    annotations,
    output: str,
    *,
    method: str = "dawidskene",
    gold: str | None = None,
    agreement: str | None = None,
    taxonomy: str = "",
    model: str | None = None,
    tolerance: int = 0,
    scheme: Taxonomy | None = None,
    settled=None,
    progress: Progress = SILENT,
) -> tuple:
    """Write the consensus and return (report values, Taxonomy).

    ``output`` has two uint8 bands: class (255 where votes tie, 0 where nobody voted) and
    posterior 0-100. ``agreement`` is one uint8 band, the share of voters 0-100.

    Args:
        model: for crowdlab, a raster of class probabilities on the first annotation's grid.
        tolerance: pixels around edges that are left out when people are judged.
        scheme: the classes, when the caller knows them; else ``taxonomy`` or the rasters tell.
        settled: has ``lay(window, classes, posterior)`` for what a person has decided.
    """
    if method not in METHODS:
        raise ConcordError(f"The method '{method}' is not known; use {', '.join(METHODS)}.")
    if method == "gold" and not gold:
        raise ConcordError("The method gold needs a GOLD raster; choose one or another method.")
    if method == "crowdlab" and not model:
        raise ConcordError("The method crowdlab needs a MODEL raster of class probabilities.")
    started = time.monotonic()
    _require_different(annotations)
    scheme = scheme or shared_taxonomy(annotations, taxonomy, progress)
    with Ballot(annotations, scheme.codes) as ballot:
        numbers, patterns = ballot.count(progress.part(0, 45), tolerance)
        if method == "gold":
            counted = _gold_counts(ballot, numbers, gold, scheme, progress.part(45, 60))
            result = aggregate.gold_bayes(patterns, counted)
        else:
            result = aggregate.METHODS.get(method, aggregate.majority)(patterns)
        with contextlib.ExitStack() as stack:
            opinion = None
            if method == "crowdlab":
                opinion = stack.enter_context(
                    crowdlab.Opinion(ballot, model, scheme.names, progress.part(45, 60))
                )
            where = (output, agreement, scheme, settled, opinion)
            _write(ballot, numbers, result, where, progress.part(60, 100))
        values = _values(ballot, patterns, result, scheme, method)
        values.update(opinion.values() if opinion is not None else {})
    values["seconds"] = round(time.monotonic() - started, 3)
    values["output"] = output
    return values, scheme


def _gold_counts(ballot, numbers, gold: str, scheme: Taxonomy, progress: Progress) -> np.ndarray:
    counts = np.zeros((len(numbers), len(scheme.classes)))
    with ClassRaster(gold, ballot.grid) as truth:
        scheme.check(truth.codes(progress), gold)
        tiles = ballot.tiles()
        for done, tile in enumerate(tiles):
            progress.report(done, len(tiles), "Reading gold pixels")
            known = ballot._index[truth.read(tile.core)]
            where = known >= 0
            pattern = np.searchsorted(numbers, ballot.numbers(tile.core)[where])
            np.add.at(counts, (pattern, known[where]), 1)
    if not counts.any():
        raise ConcordError(f"The gold raster {gold} has no labelled pixel here; choose another.")
    return counts


def _write(ballot, numbers, result, where: tuple, progress: Progress) -> None:
    output, agreement, scheme, settled, opinion = where
    codes = np.append(ballot.codes, [NO_DATA, IGNORE])  # winner -2 and -1 index from the end
    columns = aggregate.as_bytes(result, codes)
    classes, posterior, share = (Lookup(ballot.coding, numbers, c) for c in columns)
    with contextlib.ExitStack() as stack:
        main = stack.enter_context(
            rasters.Writer(
                output, ballot.grid, 2, "uint8", names=["class", "posterior"], nodata=0,
                units=["", "percent"], categories=scheme.names, colours=scheme.colours,
            )
        )  # fmt: skip
        second = None
        if agreement:
            second = stack.enter_context(
                rasters.Writer(
                    agreement, ballot.grid, 1, "uint8", names=["agreement"], units=["percent"]
                )
            )
        tiles = ballot.tiles()
        for done, tile in enumerate(tiles):
            progress.report(done, len(tiles), "Writing the consensus")
            pattern = ballot.numbers(tile.core)
            if opinion is None:
                both = np.stack([classes.of(pattern), posterior.of(pattern)])
            else:
                both = opinion.decide(tile.core)
            if settled is not None:
                settled.lay(tile.core, both[0], both[1])
            main.write(both, tile.core)
            if second is not None:
                second.write(share.of(pattern), tile.core)


def fleiss_kappa(patterns: Patterns) -> float | None:
    """Fleiss 1971 on pixels that every annotator voted on; None without such pixels."""
    full = (patterns.votes >= 0).all(axis=1)
    if not full.any() or patterns.annotators < 2:
        return None
    counts = aggregate.tally(Patterns(patterns.votes[full], patterns.counts[full], patterns.codes))
    weights = patterns.counts[full] / patterns.counts[full].sum()
    n = patterns.annotators
    per_pixel = ((counts**2).sum(axis=1) - n) / (n * (n - 1))
    observed = float((per_pixel * weights).sum())
    shares = (counts * weights[:, None]).sum(axis=0) / n
    expected = float((shares**2).sum())
    return (observed - expected) / (1 - expected) if expected < 1 else None


def _inside(patterns: Patterns, result, a: int) -> float | None:
    """Share of an annotator's votes away from edges that are the consensus class."""
    if patterns.inner is None:
        return None
    voted = (patterns.votes[:, a] >= 0) & (result.winner >= 0)
    total = patterns.inner[voted].sum()
    right = patterns.inner[voted & (patterns.votes[:, a] == result.winner)].sum()
    return float(right / total) if total else None


def _accuracy(patterns: Patterns, result, a: int) -> float | None:
    """Estimated share of an annotator's votes that are right, against the consensus."""
    voted = (patterns.votes[:, a] >= 0) & (result.winner >= 0)
    total = patterns.counts[voted].sum()
    if result.confusion is not None:
        return float((result.prior * result.confusion[a].diagonal()).sum())
    right = voted & (patterns.votes[:, a] == result.winner)
    return float(patterns.counts[right].sum() / total) if total else None


def _values(ballot, patterns, result, scheme, method) -> dict:
    voted = result.winner != aggregate.NO_VOTE
    pixels = int(patterns.counts[voted].sum())
    share = patterns.counts[voted] / max(pixels, 1)
    annotators = []
    for a, raster in enumerate(ballot.rasters):
        votes = int(patterns.counts[patterns.votes[:, a] >= 0].sum())
        entry = {"name": Path(raster.path).stem, "file": raster.path, "votes": votes}
        entry["accuracy"] = _accuracy(patterns, result, a)
        entry["accuracy_inside"] = _inside(patterns, result, a)
        if result.confusion is not None:
            entry["confusion"] = [[float(v) for v in row] for row in result.confusion[a]]
        annotators.append(entry)
    agreed = judge.class_agreement(patterns)
    classes = [
        {"code": c.code, "name": c.name,
         "pixels": int(patterns.counts[result.winner == i].sum()), "agreement": agreed[i]}
        for i, c in enumerate(sorted(scheme.classes, key=lambda c: c.code))
    ]  # fmt: skip
    several = voted & ((patterns.votes >= 0).sum(axis=1) > 1)
    both = int(patterns.counts[several].sum())
    alike = int(patterns.counts[several & (result.agreement == 1)].sum())
    notes = list(result.notes)
    if both < pixels:
        notes.append(
            f"{1 - both / pixels:.1%} of the pixels have one vote only: they agree with themselves "
            "in the mean agreement and are left out of the unanimous share."
        )
    if scheme.assumed:
        notes.append(scheme.assumed)
    notes += [f"{r.path} was moved to the grid of the first annotation by nearest pixel"
              for r in ballot.rasters if r.is_resampled]  # fmt: skip
    return {
        "method": result.method,
        "asked": method,
        "pixels": pixels,
        "patterns": int(len(patterns.counts)),
        "agreement_mean": float((result.agreement[voted] * share).sum()),
        "posterior_mean": float((result.posterior[voted] * share).sum()),
        "undecided_share": float(share[result.winner[voted] == aggregate.TIE].sum()),
        "unanimous_share": alike / both if both else None,
        "fleiss_kappa": fleiss_kappa(patterns),
        "krippendorff_alpha": judge.krippendorff(patterns, result.method == "median"),
        "pair_agreement": judge.raw_agreement(patterns),
        "iterations": result.iterations,
        "annotators": annotators,
        "classes": classes,
        "grid": ballot.grid.describe(),
        "notes": notes
        + ["Pixels are taken as independent, so posteriors are higher than they should be."],
    }


def write_report(path: str, values: dict, scheme: Taxonomy) -> dict:
    """The consensus report as HTML and JSON."""
    people = tuple(
        (a["name"], a["votes"], a["accuracy"], a["accuracy_inside"]) for a in values["annotators"]
    )
    numbers = tuple(
        (title, values[key])
        for key, title in (
            ("method", "Method"), ("pixels", "Pixels with a vote"),
            ("agreement_mean", "Mean agreement"), ("posterior_mean", "Mean posterior"),
            ("unanimous_share", "Unanimous share"), ("undecided_share", "Undecided share"),
            ("pair_agreement", "Equal pairs of votes"), ("fleiss_kappa", "Fleiss' kappa"),
            ("krippendorff_alpha", "Krippendorff's alpha"),
        )
    )  # fmt: skip
    classes = tuple((c["code"], c["name"], c["pixels"], c["agreement"]) for c in values["classes"])
    shown = (
        ("consensus", pictures.of_classes(values["output"], scheme)),
        ("posterior, dark is doubtful", pictures.of_numbers(values["output"], 30, 100, 2)),
    )
    sections = [
        report.Section("Figures", header=("what", "value"), rows=numbers, notes=values["notes"]),
        report.Section(
            "Annotators",
            rows=people,
            header=("annotator", "votes", "estimated accuracy", "agrees away from edges"),
        ),
        report.Section("Classes", header=("code", "class", "pixels", "agreement"), rows=classes),
        report.Section("Maps", pictures=shown),
    ]
    lead = f"{len(people)} annotators, method {values['method']}."
    return report.write(path, values, "Consensus", lead, sections)
