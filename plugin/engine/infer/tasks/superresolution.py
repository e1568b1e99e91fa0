"""Super-resolution: more pixels of the same bands on a finer grid."""

from __future__ import annotations

import numpy as np

from .regression import Regression


class SuperResolution(Regression):
    """Float32 bands on a grid that is ``scale`` times finer.

    The factor is the hyperparameter ``scale_factor``, else that of the graph's fixed sizes.
    """

    def __init__(self, model, unsure: bool = False):
        super().__init__(model, unsure)
        self.scale = int(self.card.number("scale_factor", 0)) or model.growth or 2
        if not self.card.hyper.get("output_names"):
            self.names = list(self.card.inputs[0].bands)

    def finish(self, planes, keep):
        """``keep`` is on the image's own grid here."""
        fine = np.repeat(np.repeat(keep, self.scale, axis=0), self.scale, axis=1)
        return super().finish(planes, fine)

    def finish_fine(self, planes, keep):
        """The same where ``keep`` is on the finer grid already."""
        return super().finish(planes, keep)

    def summary(self):
        return {**super().summary(), "scale_factor": self.scale}
