"""Object-DGCNN (arXiv 2110.06923): object queries over the BEV maps of a point cloud."""

from .detector import ObjectDGCNN
from .graph_attention import DGCNNAttention
from .head import ObjectDGCNNHead
from .pillar_encoder import FlatPillarFeatureNet
from .scatter_encoder import ScatterVFE
from .sparse_encoder import PortableSparseEncoder
from .transformer import DeformableEncoder, ObjectDGCNNTransformer

__all__ = [
    'DGCNNAttention',
    'DeformableEncoder',
    'FlatPillarFeatureNet',
    'ObjectDGCNN',
    'ObjectDGCNNHead',
    'ObjectDGCNNTransformer',
    'PortableSparseEncoder',
    'ScatterVFE',
]
