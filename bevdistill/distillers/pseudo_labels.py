"""Use teacher boxes as ground truth on unlabelled frames.

Legend: B samples, Q teacher queries, K classes, M boxes at most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
from mmengine.structures import InstanceData
from torch import Tensor

from ..structures import LOSS_WEIGHT, BEVGrid, BEVOutputs, has_labels, keep_host_sizes, strict_from_dict

NAME = 'unlabelled'
"""Of the option of the distiller and of the logged entries, so no loss may have it."""


@dataclass(frozen=True)
class PseudoLabels:
    """Turn a teacher's detections in unlabelled frames into targets of the student's own losses.

    A query of the teacher's last layer is a target if its largest class probability is above `min_score` and its centre
    lies in the student's range (x and y, as ground truth is filtered); its class is that of the largest probability.
    Of more than `max_boxes` the best are kept. A frame without detections has no targets
    and is background as a whole.

    Note:
        This is response distillation by hard labels. Scores do not weigh the targets: matched queries could carry a
        weight, but peaks of a heatmap, which may belong to several boxes, have none that would mean the same.

    Args:
        min_score: Class probability that a box must exceed, in [0, 1).
        max_boxes: Largest number of boxes of a frame. A teacher cache of the best queries must hold as many.
        weight: How many labelled frames an unlabelled one counts for in the detection losses, see
            :attr:`~bevdistill.structures.Targets.weights`. With 0 such frames serve the distillation losses alone.

    Raises:
        ValueError: If a number is out of range.
    """

    wants: ClassVar[tuple[str, ...]] = ('teacher.logits', 'teacher.codes')

    min_score: float = 0.3
    max_boxes: int = 300
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.min_score < 1:
            raise ValueError(f'unlabelled.min_score must lie in [0, 1), got {self.min_score}')
        if self.max_boxes < 1:
            raise ValueError(f'unlabelled.max_boxes must be at least 1, got {self.max_boxes}')
        if not self.weight >= 0:
            raise ValueError(f'unlabelled.weight must be at least 0, got {self.weight}')

    @classmethod
    def from_config(cls, config: Mapping[str, Any] | None) -> PseudoLabels | None:
        """Build from a config; None stays None.

        Raises:
            ValueError: If a key is unknown.
        """
        return None if config is None else strict_from_dict(cls, config, 'unlabelled')

    @property
    def teacher_queries(self) -> int:
        """Number of the teacher's best queries that are read."""
        return self.max_boxes

    def fill(
        self, samples: Sequence[Det3DDataSample], teacher: BEVOutputs, grid: BEVGrid
    ) -> tuple[list[Det3DDataSample], dict[str, Tensor]]:
        """Attach the teacher's boxes to the unlabelled samples of a batch as ground truth.

        Args:
            samples: Of the batch; they are not changed.
            teacher: Outputs of the teacher for all of them.
            grid: Grid of the student.

        Returns:
            The samples, unlabelled ones replaced by copies with ``gt_instances_3d`` (bottom centres; ``scores_3d`` too)
            and ``loss_weight``; and ``boxes``, the mean number of boxes of an unlabelled frame, if there is one.
        """
        places = [place for place, sample in enumerate(samples) if not has_labels(sample)]
        if not places:
            return list(samples), {}
        filled, found = list(samples), self.select(teacher, grid)
        for place in places:
            sample = samples[place]
            copy = sample.new(metainfo={**sample.metainfo, LOSS_WEIGHT: self.weight})
            copy.gt_instances_3d = found[place]
            filled[place] = copy
        count = sum(len(found[place]) for place in places) / len(places)
        return filled, {'boxes': teacher.logits.new_full((), count)}

    @torch.no_grad()
    def select(self, teacher: BEVOutputs, grid: BEVGrid) -> list[InstanceData]:
        """Select the teacher's boxes of each sample, the best first.

        Synchronises host and device once, for the number and the sizes of the boxes of each sample.

        Args:
            teacher: Outputs of the teacher.
            grid: Grid of the student.

        Returns:
            Per sample ``bboxes_3d``, ``labels_3d`` and ``scores_3d``.
        """
        boxes_BQ9 = teacher.boxes.float()
        score_BQ, label_BQ = teacher.logits[-1].float().sigmoid().max(dim=-1)
        good_BQ = (score_BQ > self.min_score) & grid.contains(boxes_BQ9[..., :2]) & boxes_BQ9.isfinite().all(dim=-1)
        score_BM, query_BM = torch.where(good_BQ, score_BQ, -1.0).topk(min(self.max_boxes, score_BQ.shape[1]), dim=1)
        label_BM = label_BQ.gather(1, query_BM)
        boxes_BM9 = boxes_BQ9.gather(1, query_BM[..., None].expand(-1, -1, boxes_BQ9.shape[-1]))
        # mmdet3d's boxes stand on their bottom centre.
        boxes_BM9[..., 2] -= 0.5 * boxes_BM9[..., 5]
        read_BM3 = torch.cat((score_BM[..., None], boxes_BM9[..., 3:5]), dim=-1).cpu()
        found = []
        for boxes, label, score, read_M3 in zip(boxes_BM9, label_BM, score_BM, read_BM3, strict=True):
            count = int((read_M3[:, 0] >= 0).sum())
            instances = InstanceData(
                bboxes_3d=LiDARInstance3DBoxes(boxes[:count], box_dim=boxes.shape[-1]),
                labels_3d=label[:count],
                scores_3d=score[:count],
            )
            keep_host_sizes(instances, read_M3[:count, 1:])
            found.append(instances)
        return found
