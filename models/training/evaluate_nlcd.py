"""NLCD refined at 1 m by aerial land-cover models that had not seen the chip they judge.

    make evaluate-models        (.build/train, CONCORD_DATA, ten minutes on one core)

The bundled concord-landcover-aerial was trained on all eight chips of chesapeake, so it says
nothing about NLCD there. Here eight models are trained as it was, each without one chip, and the
engine `auto` asks the one that did not see the place.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).resolve().parent))

import aerial_scenes as aerial  # noqa: E402
import nets  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
import train_landcover_aerial as trained  # noqa: E402
from train_spectral import concord  # noqa: E402

MARGIN = 0.1  # the default of refinelabels
CODES = (2, 3, 5)  # tree canopy, low vegetation, impervious
TABLE = np.array([[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], np.float32)  # of the model's classes


class Unseen:
    """Probabilities (4, rows, cols) of the whole strip, asked as ``refine.network.Network`` is."""

    works, title = True, "models that had not seen the chip"

    def __init__(self, shares: np.ndarray):
        self.codes, self._shares = np.array(CODES), shares

    def prepare(self, progress=None) -> None:
        """They were made before."""

    def posterior(self, patch, step: int = 1) -> tuple:
        planes = self._shares[(slice(None), *patch.window.slices)]
        seen = np.isfinite(planes).all(axis=0)
        answer = np.tensordot(TABLE, np.where(seen, planes, 0), 1).astype(np.float32)
        answer /= np.maximum(answer.sum(axis=0), 1e-6)
        return answer, np.ones((len(CODES), 1, 1), bool) & seen


def unseen_shares(shape: tuple, columns: list) -> np.ndarray:
    """Each chip's probabilities by a model trained on the other seven."""
    chips, ponds = aerial.chesapeake(), aerial.potholes(held=False)
    shares = np.full((4, *shape), np.nan, np.float32)
    for number, place in enumerate(columns):
        torch.manual_seed(7)
        seen = [c for c in chips if c.number != number]
        model = nets.fit(
            trained.Landcover(), trained.batches(seen, ponds), trained.loss, trained.STEPS,
            trained.RATE,
        )  # fmt: skip
        own = next(c for c in chips if c.number == number and c.name.endswith("new"))
        with torch.no_grad():
            x = torch.from_numpy(own.image.astype(np.float32) / 255)[None]
            said = torch.softmax(model(x[:, :3], x[:, 3:]).float(), 1)[0]
        shares[:, :, place] = said.numpy()
    return shares


def main() -> None:
    nets.threads(1)
    concord()
    sys.path.insert(0, str(ROOT))
    from concord.plugin.engine.grid import Window
    from concord.plugin.engine.refine.engines import engine_of
    from concord.plugin.engine.refine.guards import Guards, decide
    from concord.plugin.engine.refine.source import ArraySource
    from tests.bench.bench_refine import strip

    bands, nlcd, truth, columns = strip()
    source = ArraySource(bands, nlcd, CODES)
    engine = engine_of("auto", 1.0, network=Unseen(unseen_shares(truth.shape, columns)))
    engine.prepare(source)
    patch = source.patch(Window(0, 0, source.width, source.height))
    after, _ = decide(patch, engine.propose(patch), Guards(margin=MARGIN))
    print("| chip | NLCD right | refined right |\n| --- | --- | --- |")
    for number, place in enumerate(columns):
        shares = [100 * float((m[:, place] == truth[:, place]).mean()) for m in (nlcd, after)]
        print(f"| {number} | {shares[0]:.1f} % | {shares[1]:.1f} % |")
    known = truth > 0
    shares = [100 * float((m == truth)[known].mean()) for m in (nlcd, after)]
    wrong, right = (nlcd != truth) & known, (nlcd == truth) & known
    print(f"| all | {shares[0]:.1f} % | {shares[1]:.1f} % |")
    print(
        f"\nWrong pixels corrected {100 * float((after == truth)[wrong].mean()):.1f} %, right ones "
        f"broken {100 * float((after != truth)[right].mean()):.1f} %. {engine.settings}"
    )


if __name__ == "__main__":
    main()
