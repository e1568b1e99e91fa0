"""The Processing provider: it lists the algorithms and knows nothing of how they work."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from .checkchips import CheckChips
from .clusterextent import ClusterExtent
from .combinepredictions import CombinePredictions
from .conformalsets import ConformalSets
from .consensus import Consensus
from .exportchips import ExportChips
from .loadscene import LoadScene
from .modelcard import ModelCard
from .refinelabels import RefineLabels
from .runmodel import RunModel
from .samplescene import SampleScene
from .segmentprompts import SegmentPrompts
from .trainclassifier import TrainClassifier

ALGORITHMS = (
    LoadScene,
    SampleScene,
    SegmentPrompts,
    RunModel,
    ModelCard,
    TrainClassifier,
    CombinePredictions,
    ClusterExtent,
    ConformalSets,
    RefineLabels,
    Consensus,
    ExportChips,
    CheckChips,
)
ICON = Path(__file__).resolve().parents[2] / "resources" / "icons" / "concord.svg"


class ConcordProvider(QgsProcessingProvider):
    """Concord's algorithms in the Processing toolbox, the model designer and qgis_process."""

    def id(self) -> str:
        return "concord"

    def name(self) -> str:
        return "Concord"

    def icon(self) -> QIcon:
        return QIcon(str(ICON))

    def loadAlgorithms(self) -> None:
        for algorithm in ALGORITHMS:
            self.addAlgorithm(algorithm())
