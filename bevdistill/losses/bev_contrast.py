"""Contrast of BEV features at the student's predicted centres (the release's instance loss)."""

from __future__ import annotations

from typing import Any, Literal

from mmdet3d.registry import MODELS
from torch import Tensor

from ..distributed.reductions import mean_over_samples
from ..structures import BEVOutputs, Targets
from .critics import normalise_over_ranks
from .foreground import predicted_centres, sample_map
from .info_nce import Anchor, info_nce
from .map_loss import MapLoss


@MODELS.register_module()
class BEVContrastLoss(MapLoss):
    """InfoNCE between BEV features of student and teacher read at the same places.

    The places are the centres (x, y) that every decoder layer of the student predicts for every query, without
    gradient. Both maps are read bilinearly (zero outside), pass a critic each, and
    ``loss = mean_i info_nce_i`` over all L x Q places. The release: teacher as anchor, temperature 0.07, weight 0.2,
    critics ``dict(type='MLPCritic', in_channels=256, channels=512, projections=1, depth=2, norm='BN')``.

    Maps are read where they are, so that grids of different size and maps of different channel counts need no resizing.

    A batch: with ``negatives='sample'`` each sample is its own set of rows, critics included (their batch norm sees one
    sample at a time), and the loss is the mean of the samples' losses. With ``'batch'`` the rows of all samples on all
    ranks are one set.

    Note:
        The same query at other layers and places outside the map are negatives of each other, as in the release;
        ``layers='last'`` avoids the first. The release ran one sample at a time, where both kinds of negatives agree.
        With maps of different size and ``tap='heatmap_features'`` the release resizes the teacher's map to the
        student's first, which blurs what is read; no released pair has such maps. ``released_resize`` reproduces it.

    Args:
        student_critic: Config of the student's critic.
        teacher_critic: Config of the teacher's critic; it is trained as well.
        tap: ``'bev'`` (the release) or ``'heatmap_features'``.
        layers: ``'all'`` (the release) or ``'last'``.
        temperature: tau.
        anchor: ``'teacher'`` (the release), ``'student'`` or ``'both'``.
        negatives: ``'sample'`` or ``'batch'``.
        released_resize: Resize the teacher's heatmap features to the student's grid before they are read.

    Raises:
        ValueError: If an option is unknown, or `released_resize` is set for the tap ``'bev'``.
    """

    same_channels = False

    def __init__(
        self,
        student_critic: dict[str, Any],
        teacher_critic: dict[str, Any],
        tap: Literal['bev', 'heatmap_features'] = 'bev',
        layers: Literal['all', 'last'] = 'all',
        temperature: float = 0.07,
        anchor: Anchor = 'teacher',
        negatives: Literal['sample', 'batch'] = 'sample',
        released_resize: bool = False,
    ) -> None:
        super().__init__(tap, wants=('student.codes',))
        if layers not in ('all', 'last'):
            raise ValueError(f"layers must be 'all' or 'last', got '{layers}'")
        if negatives not in ('sample', 'batch'):
            raise ValueError(f"negatives must be 'sample' or 'batch', got '{negatives}'")
        if released_resize and tap != 'heatmap_features':
            raise ValueError(f"released_resize needs tap='heatmap_features', got '{tap}', read where it is")
        self.student_critic = MODELS.build(student_critic)
        self.teacher_critic = MODELS.build(teacher_critic)
        self.layers = layers
        self.temperature = temperature
        self.anchor = anchor
        self.negatives = negatives
        self.released_resize = released_resize
        if negatives == 'batch':
            normalise_over_ranks(self.student_critic)
            normalise_over_ranks(self.teacher_critic)

    def forward(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> dict[str, Tensor]:
        """Compute ``loss``, see :meth:`MapLoss.forward`."""
        centres_BP2 = predicted_centres(student, self.layers)
        read = self.aligned_maps if self.released_resize else self.maps
        student_map, teacher_map = read(student, teacher)
        student_BPC = sample_map(student_map, student.grid, centres_BP2)
        teacher_BPC = sample_map(teacher_map, teacher.grid, centres_BP2)
        loss_BP = info_nce(
            self.student_critic(student_BPC),
            self.teacher_critic(teacher_BPC),
            temperature=self.temperature,
            anchor=self.anchor,
            over_ranks=self.negatives == 'batch',
        )
        return {'loss': mean_over_samples(loss_BP.mean(dim=1))}
