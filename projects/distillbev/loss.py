"""DistillBEV: imitate foreground and background apart, where the teacher looks.

Legend: B samples, C channels, H x W cells.
"""

from __future__ import annotations

from typing import Any

from mmdet3d.registry import MODELS
from torch import Tensor, nn

from bevdistill.distributed.reductions import mean_over_samples
from bevdistill.losses.alignment import tapped_maps
from bevdistill.structures import BEVOutputs, Targets

from .attention import magnitude, spatial_attention
from .regions import background_weights, foreground_weights


@MODELS.register_module()
class DistillBEVLoss(nn.Module):
    """Region-decomposed imitation of a BEV map (DistillBEV, arXiv 2309.15109, section 3).

    With student map S, teacher map T, weights F inside of boxes and G outside (:mod:`.regions`), and A the teacher's
    spatial attention (:mod:`.attention`), for each sample::

        loss_foreground = w_f sum_p F_p A_p sum_c (S_cp - T_cp)^2
        loss_background = w_b sum_p G_p A_p sum_c (S_cp - T_cp)^2
        loss_attention  = w_a sum_p | mean_c |S_cp| - mean_c |T_cp| |

    A batch is the mean of its samples, on all ranks. The teacher's map is resized to the student's grid. The defaults
    are the weights of the release's script for BEVFormer.

    Note:
        The paper also counts places where the teacher sees an object that is not there as foreground, and averages the
        attention of teacher and student; here, as the release's script for BEVFormer has it, there are two regions and
        the teacher's attention.

    Args:
        foreground_weight: w_f.
        background_weight: w_b.
        attention_weight: w_a.
        temperature: Of the spatial attention, > 0.
        adapter: Config of a module from student to teacher channels, None when they are the same space.

    Raises:
        ValueError: If `temperature` is not positive; in forward, if channels differ.
    """

    wants = ('student.bev', 'teacher.bev', 'targets')

    def __init__(
        self,
        foreground_weight: float = 5e-3,
        background_weight: float = 4e-3,
        attention_weight: float = 5e-4,
        temperature: float = 0.5,
        adapter: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f'temperature must be positive, got {temperature}')
        self.foreground_weight = foreground_weight
        self.background_weight = background_weight
        self.attention_weight = attention_weight
        self.temperature = temperature
        self.adapter = None if adapter is None else MODELS.build(adapter)

    def forward(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> dict[str, Tensor]:
        """Compute the three terms.

        Args:
            student: Outputs of the student.
            teacher: Outputs of the teacher.
            targets: Ground truth.

        Returns:
            ``loss_foreground``, ``loss_background`` and ``loss_attention``, scalars.
        """
        student_BCHW, teacher_BCHW = tapped_maps(student, teacher, 'bev')
        if self.adapter is not None:
            student_BCHW = self.adapter(student_BCHW)
        if student_BCHW.shape[1] != teacher_BCHW.shape[1]:
            raise ValueError(
                f"student bev has {student_BCHW.shape[1]} channels and the teacher's {teacher_BCHW.shape[1]}; "
                "give the loss adapter=dict(type='ConvAdapter', student_channels=.., teacher_channels=..)"
            )
        attention_BHW = spatial_attention(teacher_BCHW, self.temperature)
        error_BHW = (student_BCHW - teacher_BCHW).square().sum(dim=1) * attention_BHW
        foreground_BHW = foreground_weights(targets, student.grid)
        background_BHW = background_weights(foreground_BHW)
        difference_BHW = (magnitude(student_BCHW) - magnitude(teacher_BCHW)).abs()
        return {
            'loss_foreground': self.foreground_weight * _mean_of_sums(error_BHW * foreground_BHW),
            'loss_background': self.background_weight * _mean_of_sums(error_BHW * background_BHW),
            'loss_attention': self.attention_weight * _mean_of_sums(difference_BHW),
        }


def _mean_of_sums(values_BHW: Tensor) -> Tensor:
    """Mean over samples of the sums over cells."""
    return mean_over_samples(values_BHW.sum(dim=(1, 2)))
