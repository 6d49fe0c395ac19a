"""Reduce over ranks, normalise batches among CPU processes, wrap models."""

from .batch_norm import meets_other_ranks, synchronise_batch_norms
from .host_ddp import HostDistributedDataParallel
from .wrappers import bare_model

__all__ = [
    'HostDistributedDataParallel',
    'bare_model',
    'meets_other_ranks',
    'synchronise_batch_norms',
]
