"""Reduce over ranks, normalise batches among CPU processes, wrap models."""

from .batch_norm import meets_other_ranks, synchronise_batch_norms
from .wrappers import HostDistributedDataParallel, unwrap_model

__all__ = [
    'HostDistributedDataParallel',
    'meets_other_ranks',
    'synchronise_batch_norms',
    'unwrap_model',
]
