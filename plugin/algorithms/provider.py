"""The Processing provider: it lists the algorithms and knows nothing of how they work."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from .applypainting import ApplyPainting
from .applyproposals import ApplyProposals
from .campaignreport import CampaignReport
from .checkchips import CheckChips
from .clusterextent import ClusterExtent
from .combinepredictions import CombinePredictions
from .comparemaps import CompareMaps
from .conformalsets import ConformalSets
from .consensus import Consensus
from .copycampaign import CopyCampaign, MergeCampaign
from .coverage import Coverage
from .createcampaign import CreateCampaign
from .encodescene import EncodeScene
from .exportchips import ExportChips
from .fillregion import FillRegion
from .importchips import ImportChips
from .importwork import ImportWork
from .loadscene import LoadScene
from .modelcard import ModelCard
from .objectconsensus import ObjectConsensus
from .parceltable import ParcelTable
from .pointchips import PointChips
from .previewchips import PreviewChips
from .recognisefiles import RecogniseFiles
from .refinelabels import RefineLabels
from .revertproposals import RevertProposals
from .runmodel import RunModel
from .samplescene import SampleScene
from .scenechange import SceneChange
from .segmentextent import SegmentExtent
from .segmentprompts import SegmentPrompts
from .timecomposite import TimeComposite
from .trainclassifier import TrainClassifier

ALGORITHMS = (
    LoadScene,
    RecogniseFiles,
    Coverage,
    TimeComposite,
    SceneChange,
    SampleScene,
    SegmentPrompts,
    SegmentExtent,
    EncodeScene,
    FillRegion,
    ApplyPainting,
    RunModel,
    ModelCard,
    TrainClassifier,
    CombinePredictions,
    ClusterExtent,
    ConformalSets,
    RefineLabels,
    ApplyProposals,
    RevertProposals,
    CompareMaps,
    CreateCampaign,
    Consensus,
    ObjectConsensus,
    CampaignReport,
    CopyCampaign,
    MergeCampaign,
    ImportWork,
    ExportChips,
    CheckChips,
    PreviewChips,
    ImportChips,
    PointChips,
    ParcelTable,
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
