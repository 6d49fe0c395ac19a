"""UniDistill's response distillation."""

from __future__ import annotations

import torch
from mmdet3d.registry import MODELS
from torch import Tensor

from bevdistill.detection.gaussian import gaussian_foreground
from bevdistill.distributed.reductions import shared_normaliser
from bevdistill.losses import MapLoss
from bevdistill.structures import BEVOutputs, Targets

EPS = 1e-4


@MODELS.register_module()
class UniDistillResponseLoss(MapLoss):
    """L1 distance of class heatmaps near objects (UniDistill, arXiv 2303.15083, section 3.2).

    With logits s and t, and a Gaussian around each object, merged by maximum to M, over samples b and cells p of all
    ranks::

        loss = sum_bp M_bp | max_k sigmoid(s_bkp) - max_k sigmoid(t_bkp / tau) | / sum_bp M_bp

    Probabilities are kept within 1e-4 .. 1 - 1e-4. The teacher's heatmap is resized to the student's grid.

    Note:
        As in the release (megvii-research/CVPR2023-UniDistill @ 32f02b4), but for one cell: for each sample with padded
        labels the release draws a cell of weight 1 at the ego position. The temperature, on the teacher alone, is not
        in the text.

    Args:
        teacher_temperature: tau > 0.
        min_overlap: Radius rule of M, see :func:`~bevdistill.detection.gaussian.gaussian_radius`.
        min_radius: Smallest radius of M in cells; 0 marks the cell of a small object alone.

    Raises:
        ValueError: If the temperature is not positive.
    """

    def __init__(self, teacher_temperature: float = 2.0, min_overlap: float = 0.7, min_radius: int = 0) -> None:
        super().__init__('heatmap', wants=('targets',), taps=('heatmap',))
        if teacher_temperature <= 0:
            raise ValueError(f'teacher_temperature must be positive, got {teacher_temperature}')
        self.teacher_temperature = teacher_temperature
        self.min_overlap = min_overlap
        self.min_radius = min_radius

    def forward(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> dict[str, Tensor]:
        """Compute ``loss``, see :meth:`MapLoss.forward`."""
        student_BKHW, teacher_BKHW = self.aligned_maps(student, teacher)
        # The sigmoid is monotonous: the largest probability is that of the largest logit.
        student_BHW = student_BKHW.amax(dim=1).sigmoid().clamp(EPS, 1 - EPS)
        teacher_BHW = (teacher_BKHW.amax(dim=1) / self.teacher_temperature).sigmoid().clamp(EPS, 1 - EPS)
        mask_BHW = gaussian_foreground(targets, student.grid, self.min_overlap, self.min_radius)
        total: Tensor = torch.sum((student_BHW - teacher_BHW).abs() * mask_BHW)
        return {'loss': total / shared_normaliser(mask_BHW.sum(), floor=EPS)}
