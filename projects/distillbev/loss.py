"""DistillBEV: imitate foreground and background apart, where the teacher looks.

Legend: B samples, C channels, H x W cells.
"""

from __future__ import annotations

from typing import Any

from mmdet3d.registry import MODELS
from torch import Tensor, nn

from bevdistill.distributed.reductions import mean_over_samples
from bevdistill.losses import MapLoss
from bevdistill.structures import BEVOutputs, Targets

from .attention import spatial_attention
from .regions import region_weights


@MODELS.register_module()
class DistillBEVLoss(MapLoss):
    """Region-decomposed imitation of a BEV map (DistillBEV, arXiv 2309.15109, section 3).

    With the adapted student map S, teacher map T, weights F inside of boxes and G outside (:mod:`.regions`), the
    teacher's spatial attention A (:mod:`.attention`) and a learned 3 x 3 convolution k of one channel, in each sample::

        loss_foreground = w_f sum_p F_p A_p sum_c (S_cp - T_cp)^2
        loss_background = w_b sum_p G_p A_p sum_c (S_cp - T_cp)^2
        loss_attention  = w_a sum_p | k(mean_c S_c)_p - mean_c T_cp |

    A batch is the mean of its samples, on all ranks. The teacher's map is resized to the student's grid. The defaults
    are the weights of the release's script for BEVFormer (qcraftai/distill-bev @ 3e8f6a4); its config alone has 3e-3,
    4e-2 and 1e-3.

    Note:
        The paper also counts places where the teacher sees an object that is not there as foreground, and averages the
        attention of teacher and student; its last term compares attentions, that of the release signed means over
        channels. Here, as released for BEVFormer, there are two regions, the teacher's attention and signed means.

    Args:
        foreground_weight: w_f.
        background_weight: w_b.
        attention_weight: w_a.
        temperature: Of the spatial attention, > 0.
        adapter: Config of a module from student to teacher channels; the release has a learned 1 x 1 convolution also
            where both have equally many. None compares the maps as they are.

    Raises:
        ValueError: If `temperature` is not positive; in forward, if channels differ.
    """

    def __init__(
        self,
        foreground_weight: float = 5e-3,
        background_weight: float = 4e-3,
        attention_weight: float = 5e-4,
        temperature: float = 0.5,
        adapter: dict[str, Any] | None = None,
    ) -> None:
        super().__init__('bev', adapter, wants=('targets',))
        if temperature <= 0:
            raise ValueError(f'temperature must be positive, got {temperature}')
        self.foreground_weight = foreground_weight
        self.background_weight = background_weight
        self.attention_weight = attention_weight
        self.temperature = temperature
        self.mean_adapter = nn.Conv2d(1, 1, kernel_size=3, padding=1)

    def forward(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> dict[str, Tensor]:
        """Compute ``loss_foreground``, ``loss_background`` and ``loss_attention``, see :meth:`MapLoss.forward`."""
        student_BCHW, teacher_BCHW = self.aligned_maps(student, teacher)
        attention_BHW = spatial_attention(teacher_BCHW, self.temperature)
        error_BHW = (student_BCHW - teacher_BCHW).square().sum(dim=1) * attention_BHW
        foreground_BHW, background_BHW = region_weights(targets, student.grid)
        student_mean_B1HW = self.mean_adapter(student_BCHW.mean(dim=1, keepdim=True))
        difference_BHW = (student_mean_B1HW[:, 0] - teacher_BCHW.mean(dim=1)).abs()
        return {
            'loss_foreground': self.foreground_weight * _mean_of_sums(error_BHW * foreground_BHW),
            'loss_background': self.background_weight * _mean_of_sums(error_BHW * background_BHW),
            'loss_attention': self.attention_weight * _mean_of_sums(difference_BHW),
        }


def _mean_of_sums(values_BHW: Tensor) -> Tensor:
    """Mean over samples of the sums over cells."""
    return mean_over_samples(values_BHW.sum(dim=(1, 2)))
