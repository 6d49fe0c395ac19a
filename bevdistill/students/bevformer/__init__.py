"""BEVFormer: cameras to a BEV map to boxes."""

from .detector import BEVFormer
from .encoder import BEVFormerEncoder, BEVFormerLayer
from .frame import FrameGeometry
from .head import BEVFormerHead
from .spatial_attention import PillarDeformableAttention, SpatialCrossAttention
from .temporal_attention import History, TemporalSelfAttention
from .transformer import BEVFormerTransformer

__all__ = [
    'BEVFormer',
    'BEVFormerEncoder',
    'BEVFormerHead',
    'BEVFormerLayer',
    'BEVFormerTransformer',
    'FrameGeometry',
    'History',
    'PillarDeformableAttention',
    'SpatialCrossAttention',
    'TemporalSelfAttention',
]
