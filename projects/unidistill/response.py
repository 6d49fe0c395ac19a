"""UniDistill's response distillation."""

from __future__ import annotations

import torch
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from bevdistill.detection.gaussian import gaussian_foreground
from bevdistill.distributed.reductions import shared_normaliser
from bevdistill.losses.alignment import tapped_maps
from bevdistill.structures import BEVOutputs, Targets


@MODELS.register_module()
class UniDistillResponseLoss(nn.Module):
    """L1 distance of class heatmaps near objects (UniDistill, arXiv 2303.15083, section 3.2).

    With logits s and t, a Gaussian M around each object and N boxes on all ranks::

        loss = 1/N sum_bp M_bp | max_k sigmoid(s_bkp) - max_k sigmoid(t_bkp / tau) |

    The teacher's heatmap is resized to the student's grid.

    Note:
        The release softens the teacher alone, by a temperature of 2 that its text does not name. It also compares the
        regression maps of two CenterPoint heads; a student of queries has none, so that this part is left out.

    Args:
        teacher_temperature: tau > 0.
        min_overlap: Radius rule of M, see :func:`~bevdistill.detection.gaussian.gaussian_radius`.
        min_radius: Smallest radius of M in cells.

    Raises:
        ValueError: If the temperature is not positive.
    """

    wants = ('student.heatmap', 'teacher.heatmap', 'targets')

    def __init__(self, teacher_temperature: float = 2.0, min_overlap: float = 0.7, min_radius: int = 1) -> None:
        super().__init__()
        if teacher_temperature <= 0:
            raise ValueError(f'teacher_temperature must be positive, got {teacher_temperature}')
        self.teacher_temperature = teacher_temperature
        self.min_overlap = min_overlap
        self.min_radius = min_radius

    def forward(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> dict[str, Tensor]:
        """Compute the loss.

        Args:
            student: Outputs of the student.
            teacher: Outputs of the teacher.
            targets: Ground truth.

        Returns:
            ``loss``, a scalar.
        """
        student_BKHW, teacher_BKHW = tapped_maps(student, teacher, 'heatmap')
        # The sigmoid is monotonous: the largest probability is that of the largest logit.
        student_BHW = student_BKHW.amax(dim=1).sigmoid()
        teacher_BHW = (teacher_BKHW.amax(dim=1) / self.teacher_temperature).sigmoid()
        mask_BHW = gaussian_foreground(targets, student.grid, self.min_overlap, self.min_radius)
        boxes = student_BHW.new_full((), sum(len(boxes) for boxes in targets.boxes))
        total: Tensor = torch.sum((student_BHW - teacher_BHW).abs() * mask_BHW)
        return {'loss': total / shared_normaliser(boxes, floor=1)}
