"""One sentence a chip from its class shares, for vision-language training."""

from __future__ import annotations

import json
from collections.abc import Iterator

from .. import rasters

_LEAST = 0.02


def caption(planned, scheme, metres: tuple) -> str:
    """What a chip shows, largest class first; classes below 2 % are left out."""
    counts = {c.name: int(planned.content.counts[c.code]) for c in scheme.classes}
    total = sum(counts.values())
    shares = sorted(((n / total, name) for name, n in counts.items() if n), reverse=True)
    said = [f"{share:.0%} {name}" for share, name in shares if share >= _LEAST]
    width, height = (f"{m / 1000:.2g} km" if m >= 1000 else f"{m:.0f} m" for m in metres)
    return f"A land-cover chip of {width} by {height}: {', '.join(said)}."


def lines(kept: list, context) -> Iterator:
    """captions.jsonl; ``confirmed`` is False until a person has said the captions may be used."""
    grid, wish = context.setup.grid, context.wish
    size = rasters.metres_per_pixel(grid)
    for p in kept:
        metres = (p.chip.window.width * size, p.chip.window.height * size)
        entry = {
            "id": p.chip.id,
            "split": p.split,
            "caption": caption(p, context.setup.scheme, metres),
            "made_from": "class shares of the mask",
            "confirmed": wish.captions == "confirmed",
        }
        yield json.dumps(entry, ensure_ascii=False) + "\n"
