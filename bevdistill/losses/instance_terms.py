"""Contract of what a pair of student and teacher queries is compared by."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from .instance_pairs import InstancePairs


class InstanceTerm(nn.Module, ABC):
    """One comparison of pairs; each returns one value per student layer, the quality-weighted mean over pairs."""

    wants: tuple[str, ...] = ()

    @abstractmethod
    def forward(self, pairs: InstancePairs) -> Tensor:
        """Compare the pairs; (L,)."""
