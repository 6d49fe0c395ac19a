"""LiDAR detectors that teach."""

from .object_dgcnn import DGCNNAttention, ObjectDGCNN, ObjectDGCNNHead, ObjectDGCNNTransformer

__all__ = ['DGCNNAttention', 'ObjectDGCNN', 'ObjectDGCNNHead', 'ObjectDGCNNTransformer']
