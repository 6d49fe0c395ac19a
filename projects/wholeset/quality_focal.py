"""The focal loss of soft labels, for queries and for cells."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


class QualityFocal:
    """Quality focal loss (arXiv 2006.04388, equation 2), entry by entry: ``|t - s|^gamma * BCE(s, t)``, s = sigmoid(x).

    Args:
        gamma: How much less what is nearly right counts, >= 0.

    Raises:
        ValueError: If `gamma` is negative.
    """

    def __init__(self, gamma: float) -> None:
        if gamma < 0:
            raise ValueError(f'gamma must not be negative, got {gamma}')
        self.gamma = gamma

    def __call__(self, logits: Tensor, wanted: Tensor) -> Tensor:
        """Compare logits x with wanted probabilities t of the same shape, in float32."""
        logits = logits.float()
        wanted = wanted.to(logits)
        entropy = F.binary_cross_entropy_with_logits(logits, wanted, reduction='none')
        return (wanted - logits.sigmoid()).abs() ** self.gamma * entropy
