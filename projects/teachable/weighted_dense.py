"""What the two dense candidates share."""

from __future__ import annotations

from torch import Tensor

from bevdistill.distributed.reductions import shared_normaliser
from bevdistill.losses import DenseBEVLoss
from bevdistill.structures import BEVOutputs


class WeightedDense(DenseBEVLoss):
    """Dense imitation whose target or weights are learnt; arguments of :class:`~bevdistill.losses.DenseBEVLoss`."""

    def scaled_maps(self, student: BEVOutputs, teacher: BEVOutputs) -> tuple[Tensor, Tensor]:
        """Read both maps on the student's grid, in units of the teacher's spread where the config says so."""
        maps = self.aligned_maps(student, teacher)
        return maps if self.teacher_scale is None else self.teacher_scale(*maps)

    def reduced(self, value_BCP: Tensor, weight_BP: Tensor) -> Tensor:
        """Reduce values over channels, then over places by weight, as :class:`~bevdistill.losses.DenseBEVLoss` does."""
        value_BP = value_BCP.sum(dim=1) if self.channels == 'sum' else value_BCP.mean(dim=1)
        mass = weight_BP.sum() if self.normaliser == 'mask' else weight_BP.new_full((), weight_BP.numel())
        return (value_BP * weight_BP).sum() / shared_normaliser(mass, floor=1e-6)
