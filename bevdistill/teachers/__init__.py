"""LiDAR detectors that teach."""

from .object_dgcnn import (
    DGCNNAttention,
    ObjectDGCNN,
    ObjectDGCNNHead,
    ObjectDGCNNTransformer,
    PortableSparseEncoder,
    ScatterVFE,
)

__all__ = [
    'DGCNNAttention',
    'ObjectDGCNN',
    'ObjectDGCNNHead',
    'ObjectDGCNNTransformer',
    'PortableSparseEncoder',
    'ScatterVFE',
]
