"""How alike the places of a scene are, on both sides."""

from __future__ import annotations

import torch.nn.functional as F
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from bevdistill.distributed.reductions import mean_over_samples
from bevdistill.losses.alignment import tapped_maps
from bevdistill.structures import BEVOutputs, Targets


@MODELS.register_module()
class SceneAffinityLoss(nn.Module):
    """Mean absolute difference of two maps' affinities (MonoDistill, arXiv 2201.10830, scene-level distillation).

    With the features f_i of N places, ``A_ij = f_i . f_j / (|f_i| |f_j|)`` on each side::

        loss = mean_b 1/N^2 sum_ij |A^S_ij - A^T_ij|

    Channels may differ. Maps are averaged to at most `cells` x `cells` places first: a map of 128 x 128 has 2.7e8 pairs
    of places, 32 x 32 of it a million.

    Note:
        MonoDistill's code takes raw inner products (``cosine=False``). Their size is that of squared features, which
        differs between networks and would decide what the weight means, so cosines are the default here. It resizes
        bilinearly, which skips cells when a map shrinks to less than half; here every cell counts.

    Args:
        cells: Largest number of rows and of columns.
        cosine: Divide by the lengths of the features.

    Raises:
        ValueError: If `cells` is not positive.
    """

    wants = ('student.bev', 'teacher.bev')

    def __init__(self, cells: int = 32, cosine: bool = True) -> None:
        super().__init__()
        if cells < 1:
            raise ValueError(f'cells must be at least 1, got {cells}')
        self.cells = cells
        self.cosine = cosine

    def forward(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> dict[str, Tensor]:
        """Compute the loss.

        Args:
            student: Outputs of the student.
            teacher: Outputs of the teacher.
            targets: Not used.

        Returns:
            ``loss``, a scalar.
        """
        student_BNN, teacher_BNN = (
            affinity(side, self.cells, self.cosine) for side in tapped_maps(student, teacher, 'bev')
        )
        return {'loss': mean_over_samples((student_BNN - teacher_BNN).abs().mean(dim=(1, 2)))}


def affinity(map_BCHW: Tensor, cells: int, cosine: bool = True) -> Tensor:
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
