"""What the prompt worker does with a desk, in its thread: values only, never a QGIS layer."""

from __future__ import annotations

from ..engine.errors import NoData


def answering(question, number: int, setups: list, worker):
    """Ask one desk, or two composites of which the one with the steadier mask is kept.

    The answer is a list of (answer, outlines, composite, model), or NoData where none has any.
    """

    def steady(answers: list) -> float:
        best = answers[0]
        return best.score if best.stability is None else best.stability

    def work(desk):
        replies, empty = [], []
        for setup in setups:
            desk = worker.desk(setup)
            try:
                answers = desk.ask(question, number)
            except NoData as error:
                empty.append(error)
                continue
            if answers:
                replies.append((steady(answers), desk, answers))
        if not replies:
            return empty[0] if len(empty) == len(setups) else []
        _, desk, answers = max(replies, key=lambda reply: reply[0])
        text, model = desk.composite.text, desk.provider.id
        return [(answer, desk.outlines(answer), text, model) for answer in answers[:3]]

    return work


def previewed(desk, question):
    if not desk.is_ready(question):
        return None
    answers = desk.ask(question)
    return desk.outlines(answers[0]) if answers else None


def encoded(desk, bounds: tuple, scale: float) -> bool:
    """Encode one tile of the view; True when one was missing."""
    missing = desk.missing(bounds, scale)
    if missing:
        desk.encode(missing[0])
    return bool(missing)


def likened(desk, examples: list, bounds: tuple, scale: float, known: list, progress) -> list:
    """Objects like the examples, as (answer, outlines, composite, model); not those in `known`."""
    found = desk.similar(examples, bounds, scale, known, progress)
    drawn = []
    for answer in found:
        progress.check()
        drawn.append((answer, desk.outlines(answer), desk.composite.text, desk.provider.id))
    return drawn
