"""Print the held-out figures of the bundled raster models as a Markdown table.

    make evaluate-models        (.build/train, CONCORD_DATA, two minutes)

The graphs in models/ are run as they are, by onnxruntime, on what their training never saw. The
aerial land cover is trained on all eight chips, so its figures of leaving one out come from the
card, where the eight trainings put them; only its ponds are measured here.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).resolve().parent))

import aerial_scenes as aerial  # noqa: E402
import nets  # noqa: E402
import numpy as np  # noqa: E402
import roof_objects  # noqa: E402
import s2_scenes as s2  # noqa: E402
import train_buildings  # noqa: E402
import train_landcover_aerial  # noqa: E402
import train_landcover_s2  # noqa: E402


class Graph(nets.Graph):
    """A bundled graph with its card."""

    def __init__(self, name: str, threads: int = 1):
        self.path = ROOT / "models" / f"{name}.onnx"
        super().__init__(str(self.path), threads)

    @property
    def card(self) -> dict:
        return json.loads(self.path.with_suffix(".mlm.json").read_text("utf-8"))["properties"]

    def speed(self, side: int = 512) -> float:
        """Megapixels a second on noise, best of three."""
        planes = [np.random.default_rng(0).random((1, n, side, side), np.float32)
                  for _, n in self.inputs]  # fmt: skip
        best = float("inf")
        for _ in range(3):
            start = time.perf_counter()
            self(*planes)
            best = min(best, time.perf_counter() - start)
        return side * side / best / 1e6


def rows() -> list:
    """[(model, where, figure, value)]."""
    found = []
    graph = Graph("concord-landcover-s2")
    figures = train_landcover_s2.held_out(graph, s2.all_scenes(), s2.Teacher())
    for where, row in figures.items():
        found += [("landcover-s2", where, name, value) for name, value in row.items()]
    graph = Graph("concord-landcover-aerial")
    card = graph.card["mlm:hyperparameters"]["held_out"]
    for who in ("model", "without nir", "forest"):
        for name, value in card[who].items():
            found.append(("landcover-aerial", f"one chip left out, {who}", name, value))
    matrix = sum(
        train_landcover_aerial.confusion(c.label, train_landcover_aerial.answer(graph, c.image))
        for c in aerial.potholes(held=True)
    )
    ponds = train_landcover_aerial.scores(matrix)
    found.append(("landcover-aerial", "ponds of unseen dates", "water IoU", ponds["water"]))
    graph = Graph("concord-buildings")
    mosaic, (roofs, weight, held) = aerial.uganda(), train_buildings.truth()
    line = int(np.argmax(held[0]))
    for step, size in ((2, "0.15 m"), (4, "0.3 m")):
        east = (mosaic[:, :, line:], roofs[:, line:], weight[:, line:])
        for name, value in train_buildings.judged(graph, *east, step).items():
            found.append(("buildings", f"eastern third, {size}", name, value))
    for name, value in roof_objects.held_out().items():
        found.append(("buildings", "eastern third, polygons at 0.15 m", name, value))
    return found


def main() -> None:
    print("| model | held out | figure | value |\n| --- | --- | --- | --- |")
    for model, where, name, value in rows():
        print(f"| {model} | {where} | {name} | {value:.3f} |")
    print("\n| model | MB | Mpx/s, one thread | two threads |\n| --- | --- | --- | --- |")
    for name in ("concord-landcover-s2", "concord-landcover-aerial", "concord-buildings"):
        one, two = Graph(name), Graph(name, 2)
        size = one.path.stat().st_size / 1e6
        print(f"| {name} | {size:.2f} | {one.speed():.2f} | {two.speed():.2f} |")


if __name__ == "__main__":
    main()
