"""The Processing provider: it lists the algorithms and knows nothing of how they work."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from .campaignreport import CampaignReport
from .checkchips import CheckChips
from .consensus import Consensus
from .copycampaign import CopyCampaign, MergeCampaign
from .createcampaign import CreateCampaign
from .exportchips import ExportChips
from .importwork import ImportWork
from .loadscene import LoadScene
from .modelcard import ModelCard
from .objectconsensus import ObjectConsensus
from .refinelabels import RefineLabels
from .runmodel import RunModel
from .samplescene import SampleScene
from .segmentprompts import SegmentPrompts

ALGORITHMS = (
    LoadScene,
    SampleScene,
    SegmentPrompts,
    RunModel,
    ModelCard,
    RefineLabels,
    CreateCampaign,
    Consensus,
    ObjectConsensus,
    CampaignReport,
    CopyCampaign,
    MergeCampaign,
    ImportWork,
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
