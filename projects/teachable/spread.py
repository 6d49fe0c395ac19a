"""Imitate most where the teacher's map can be foreseen from what the student has."""

from __future__ import annotations

from typing import Any

from mmdet3d.registry import MODELS
from torch import Tensor, nn

from bevdistill.distributed.reductions import shared_normaliser
from bevdistill.losses import DenseBEVLoss
from bevdistill.structures import BEVOutputs, Targets


@MODELS.register_module()
class SpreadDenseLoss(DenseBEVLoss):
    """Dense imitation in which each value counts by how well it can be foreseen (Kendall and Gal, arXiv 1703.04977).

    A 1 x 1 convolution v of the student's map, which sends it no gradient, foresees the log variance of the error
    e = S - T channel by channel (their equation 5, with e fixed), and what varies less counts more. With weights M and
    their mass N::

        loss_spread = sum_p M_p reduce_c (e_cp^2 exp(-v_cp) + v_cp) / (2 N)       e without gradient
        loss        = sum_p M_p reduce_c (P_cp e_cp^2) / N                        P = exp(-v) / its mean

    The mean is over channels, and by weight over places of all ranks: P has mean 1, and where v is 0 this is the dense
    loss.

    Note:
        In the reference one likelihood trains both. There a channel that is nearly right would press without limit.

    Args:
        student_channels: Channels of the student's map.
        teacher_channels: Channels that are compared, those of the teacher's map.
        limit: Bound of the absolute log variance.
        **dense: Arguments of :class:`~bevdistill.losses.DenseBEVLoss`.
    """

    def __init__(self, student_channels: int, teacher_channels: int, limit: float = 5.0, **dense: Any) -> None:
        super().__init__(**dense)
        self.limit = limit
        self.log_variance = nn.Conv2d(student_channels, teacher_channels, 1)
        nn.init.zeros_(self.log_variance.weight)
        nn.init.zeros_(self.log_variance.bias)  # type: ignore[arg-type]

    def forward(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> dict[str, Tensor]:
        """Compute ``loss`` and ``loss_spread``, see :meth:`MapLoss.forward`; ``spread`` is the mean of v."""
        maps = self.scaled_maps(student, teacher)
        student_BCP, teacher_BCP, weight_BP = self.region.select(maps, student, teacher, targets)
        foreseen = self.log_variance(getattr(student, self.tap).detach()).clamp(-self.limit, self.limit)
        log_BCP = self.region.select((foreseen, foreseen), student, teacher, targets)[0]
        error_BCP = (student_BCP - teacher_BCP).square()
        weight_BP = weight_BP.detach()
        precision_BCP = log_BCP.detach().neg().exp()
        weights = shared_normaliser(weight_BP.sum(), floor=1e-6)
        mean = shared_normaliser((precision_BCP.mean(dim=1) * weight_BP).sum(), floor=1e-6) / weights
        mass = self.mass(weight_BP)
        return {
            'loss': self.total(error_BCP * (precision_BCP / mean), weight_BP) / mass,
            'loss_spread': self.total(error_BCP.detach() * log_BCP.neg().exp() + log_BCP, weight_BP) / mass / 2,
            'spread': (log_BCP.detach().mean(dim=1) * weight_BP).sum() / weights,
        }
