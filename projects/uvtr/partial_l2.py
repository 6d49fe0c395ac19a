"""Features of student and teacher, compared where the student predicts objects."""

from __future__ import annotations

from typing import Any

from mmdet3d.registry import MODELS
from torch import Tensor

from bevdistill.distributed.reductions import mean_over_samples
from bevdistill.losses import MapLoss
from bevdistill.losses.foreground import predicted_centres, sample_map
from bevdistill.structures import BEVOutputs, Targets


@MODELS.register_module()
class SampledPartialL2(MapLoss):
    """Partial squared error of BEV features at the centres that each decoder layer predicts (UVTR, arXiv 2206.00630).

    With student and teacher features s_q and t_q, read bilinearly at the centre (x, y) of query q of one layer::

        loss_layer = mean_bq sum_c [s_qc > t_qc or t_qc > 0] (s_qc - t_qc)^2

    The error is partial as in the overhaul of feature distillation (arXiv 1904.01866): where the teacher's feature is
    not positive, the student's may be anything below it, since a ReLU makes both the same. Centres carry no gradient,
    and each layer is a loss of its own: ``loss`` of the last layer, ``d<i>.loss`` of layer i.

    Note:
        UVTR reads voxels at (x, y, z) before the last ReLU. Maps in bird's-eye view have no height, and a teacher's map
        may have passed its ReLU; then "not positive" means 0. Places outside the map read 0 on both sides and count in
        the mean.

    Maps are read where they are, so that grids of different size need no resizing.

    Args:
        adapter: Config of a module from student to teacher channels, None (UVTR) when they are the same space.

    Raises:
        ValueError: In forward, if channels differ.
    """

    def __init__(self, adapter: dict[str, Any] | None = None) -> None:
        super().__init__('bev', adapter, wants=('student.codes',))

    def forward(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> dict[str, Tensor]:
        """Compute the loss of each layer, see :meth:`MapLoss.forward`."""
        student_map, teacher_map = self.maps(student, teacher)
        centres_BP2 = predicted_centres(student)
        student_BPC = sample_map(student_map, student.grid, centres_BP2)
        teacher_BPC = sample_map(teacher_map, teacher.grid, centres_BP2)
        counts_BPC = (student_BPC > teacher_BPC) | (teacher_BPC > 0)
        error_BP = ((student_BPC - teacher_BPC).square() * counts_BPC).sum(dim=-1)
        layers, batch, queries = student.codes.shape[:3]
        loss_L = mean_over_samples(error_BP.view(batch, layers, queries).mean(dim=-1))
        return {'loss' if layer == layers - 1 else f'd{layer}.loss': value for layer, value in enumerate(loss_L)}
