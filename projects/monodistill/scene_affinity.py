"""How alike the places of a scene are, on both sides."""

from __future__ import annotations

import torch.nn.functional as F
from mmdet3d.registry import MODELS
from torch import Tensor

from bevdistill.distributed.reductions import mean_over_samples
from bevdistill.losses import MapLoss
from bevdistill.structures import BEVOutputs, Targets


@MODELS.register_module()
class SceneAffinityLoss(MapLoss):
    """Mean absolute difference of two maps' affinities (MonoDistill, arXiv 2201.10830, scene-level distillation).

    With the features f_i of N places, ``A_ij = f_i . f_j`` on each side, or with `cosine` the paper's
    ``A_ij = f_i . f_j / (|f_i| |f_j|)``::

        loss = mean_b 1/N^2 sum_ij |A^S_ij - A^T_ij|

    Channels may differ. Maps are averaged to at most `cells` x `cells` places first: a map of 128 x 128 has 2.7e8 pairs
    of places, 32 x 32 of it a million.

    Note:
        The release (monster-ghost/MonoDistill @ 26ca8da) has inner products; their size is that of squared features, so
        that a weight belongs to one pair of networks. It divides the mean over a batch by the batch size once more, 12
        in its config, hence a weight of 1/12 here. It resizes bilinearly, which skips cells when a map shrinks to less
        than half; here every cell counts.

    Args:
        cells: Largest number of rows and of columns.
        cosine: Divide by the lengths of the features, as in the paper's text.

    Raises:
        ValueError: If `cells` is not positive.
    """

    same_channels = False

    def __init__(self, cells: int = 32, cosine: bool = False) -> None:
        super().__init__('bev')
        if cells < 1:
            raise ValueError(f'cells must be at least 1, got {cells}')
        self.cells = cells
        self.cosine = cosine

    def forward(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> dict[str, Tensor]:
        """Compute ``loss``, see :meth:`MapLoss.forward`."""
        student_BNN, teacher_BNN = (
            affinity(side, self.cells, self.cosine) for side in self.aligned_maps(student, teacher)
        )
        return {'loss': mean_over_samples((student_BNN - teacher_BNN).abs().mean(dim=(1, 2)))}


def affinity(map_BCHW: Tensor, cells: int, cosine: bool = False) -> Tensor:
    """Inner products of the features of all pairs of places.

    Args:
        map_BCHW: A map, averaged to at most `cells` rows and columns.
        cells: See above.
        cosine: Divide by the lengths of the features; a place without features is unlike all others.

    Returns:
        (B, N, N), N places row by row.
    """
    size = (min(cells, map_BCHW.shape[2]), min(cells, map_BCHW.shape[3]))
    features_BCN = F.adaptive_avg_pool2d(map_BCHW, size).flatten(2)
    if cosine:
        features_BCN = F.normalize(features_BCN, dim=1, eps=1e-6)
    return features_BCN.transpose(1, 2) @ features_BCN
