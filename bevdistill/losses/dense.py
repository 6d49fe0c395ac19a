"""Dense imitation of BEV maps."""

from __future__ import annotations

from typing import Any, Literal

from mmdet3d.registry import MODELS
from torch import Tensor

from ..distributed.reductions import shared_normaliser
from ..structures import BEVOutputs, Targets
from .foreground import Region, region_config
from .map_loss import MapLoss


@MODELS.register_module()
class DenseBEVLoss(MapLoss):
    """Squared error of two BEV maps under a foreground mask.

    With student map S, teacher map T and weights M::

        loss = sum_bp M_bp * reduce_c (S_bcp - T_bcp)^2 / N

    * Paper (BEVDistill, arXiv 2211.09386, section 3.2.1): maps of the detectors, M a Gaussian of one width around each
      object, sum over channels, N = sum of M: ``tap='bev', where=dict(type='SoftForeground', sigma=2.0),
      channels='sum', normaliser='mask'`` with the release's weight, which then presses as hard as there.
    * Release: features after the shared convolution of the auxiliary heatmap heads, a Gaussian by box size, sum over
      channels, N = sum of M: ``tap='heatmap_features', where=dict(type='SoftForeground'), channels='sum',
      normaliser='mask'`` with weight 0.01. Its variant ``'point'`` is ``where=dict(type='QuerySampledForeground'),
      channels='mean'``.

    Sizes may differ: the teacher's map is resized to the student's. No foreground gives a loss of exactly 0.

    A batch: ``'cells'`` is the mean of the samples' losses; ``'mask'`` is the ratio of sums over batch and ranks, so
    that every foreground cell counts the same.

    Note:
        The release divides by the mask's sum without a guard (0/0 without objects) and broadcasts only for one sample.
        Summaries of the paper disagree about its normaliser, with the number of cells in it or not; with ``'cells'``
        the force of a weight grows with the objects of a sample.

    Args:
        where: Config of the region that is compared, see :mod:`.foreground`.
        tap: Which map, ``'bev'`` or ``'heatmap_features'``.
        channels: Reduction over channels, ``'mean'`` or ``'sum'``.
        normaliser: ``'mask'`` (sum of M) or ``'cells'`` (number of places).
        adapter: Config of a module from student to teacher channels, None when they are the same space.
        teacher_scale: Config of a :class:`~.teacher_scale.TeacherScale`, None to compare raw features.
        mask: Former name of `where`, see :func:`~.foreground.region_config`.

    Raises:
        ValueError: If an option is unknown; in forward, if channels differ.
    """

    def __init__(
        self,
        where: dict[str, Any] | None = None,
        tap: Literal['bev', 'heatmap_features'] = 'bev',
        channels: Literal['mean', 'sum'] = 'mean',
        normaliser: Literal['mask', 'cells'] = 'mask',
        adapter: dict[str, Any] | None = None,
        teacher_scale: dict[str, Any] | None = None,
        mask: dict[str, Any] | None = None,
    ) -> None:
        region: Region = MODELS.build(region_config('DenseBEVLoss', where, mask))
        super().__init__(tap, adapter, region.wants)
        if channels not in ('mean', 'sum'):
            raise ValueError(f"channels must be 'mean' or 'sum', got '{channels}'")
        if normaliser not in ('mask', 'cells'):
            raise ValueError(f"normaliser must be 'mask' or 'cells', got '{normaliser}'")
        self.channels = channels
        self.normaliser = normaliser
        self.region = region
        self.teacher_scale = None if teacher_scale is None else MODELS.build(teacher_scale)

    def forward(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> dict[str, Tensor]:
        """Compute ``loss``, see :meth:`MapLoss.forward`."""
        maps = self.scaled_maps(student, teacher)
        student_BCP, teacher_BCP, weight_BP = self.region.select(maps, student, teacher, targets)
        error_BCP = (student_BCP - teacher_BCP).square()
        return {'loss': self.total(error_BCP, weight_BP) / self.mass(weight_BP)}

    def scaled_maps(self, student: BEVOutputs, teacher: BEVOutputs) -> tuple[Tensor, Tensor]:
        """Read both maps on the student's grid, in units of `teacher_scale` if there is one."""
        maps = self.aligned_maps(student, teacher)
        return maps if self.teacher_scale is None else self.teacher_scale(*maps)

    def total(self, value_BCP: Tensor, weight_BP: Tensor) -> Tensor:
        """Reduce values over channels, and sum them over places by weight."""
        value_BP = value_BCP.sum(dim=1) if self.channels == 'sum' else value_BCP.mean(dim=1)
        return (value_BP * weight_BP).sum()

    def mass(self, weight_BP: Tensor) -> Tensor:
        """Compute N, shared by the ranks."""
        if self.normaliser == 'cells':
            return shared_normaliser(weight_BP.new_full((), weight_BP.numel()), floor=1)
        return shared_normaliser(weight_BP.sum(), floor=1e-6)
