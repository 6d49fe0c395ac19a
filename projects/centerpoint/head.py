"""CenterPoint's head in this package's class order.

Legend: B samples, C channels, K classes, H x W cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet3d.models.dense_heads.centerpoint_head import CenterHead
from mmdet3d.registry import MODELS
from mmengine.structures import InstanceData
from torch import Tensor


@MODELS.register_module()
class OrderedCenterHead(CenterHead):
    """mmdet3d's CenterHead (CenterPoint, arXiv 2006.11275) whose labels are those of the data set.

    CenterHead groups classes into tasks and numbers them in the order of the groups. Its parameters stay as they are,
    so that public weights load; labels are translated on the way in (targets) and out (heatmap, detections).

    Args:
        class_names: Classes in the data set's order, each in exactly one task.
        tasks: See the parent.
        **kwargs: Of the parent.

    Raises:
        ValueError: If the tasks do not have exactly these classes.
    """

    place_of_label: Tensor
    label_of_place: Tensor

    def __init__(self, class_names: Sequence[str], tasks: Sequence[dict[str, Any]], **kwargs: Any) -> None:
        super().__init__(tasks=tasks, **kwargs)
        grouped = [name for names in self.class_names for name in names]
        if sorted(grouped) != sorted(class_names):
            raise ValueError(
                f'the tasks of {type(self).__name__} have the classes {grouped}, class_names is {list(class_names)}: '
                'every class must be in one task'
            )
        place_of_label = torch.tensor([grouped.index(name) for name in class_names])
        # Not in the state_dict: public weights do not have them.
        self.register_buffer('place_of_label', place_of_label, persistent=False)
        self.register_buffer('label_of_place', place_of_label.argsort(), persistent=False)

    def heatmap(self, bev_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Class heatmap of a BEV map.

        Args:
            bev_BCHW: The neck's map.

        Returns:
            Logits in the order of `class_names`, (B, K, H, W), and the features of the shared convolution,
            (B, C', H, W).
        """
        features_BCHW = self.shared_conv(bev_BCHW)
        grouped_BKHW = torch.cat([task(features_BCHW)['heatmap'] for task in self.task_heads], dim=1)
        return grouped_BKHW[:, self.place_of_label], features_BCHW

    def get_targets_single(self, gt_instances_3d: InstanceData) -> tuple[Any, ...]:
        """Targets of one sample whose labels are in the order of `class_names`; negative labels are left out."""
        labels = gt_instances_3d.labels_3d
        places = torch.where(labels < 0, -1, self.place_of_label[labels.clamp(min=0)])
        grouped = InstanceData(bboxes_3d=gt_instances_3d.bboxes_3d, labels_3d=places)
        targets: tuple[Any, ...] = super().get_targets_single(grouped)
        return targets

    def predict_by_feat(self, *args: Any, **kwargs: Any) -> list[InstanceData]:
        """Detections with labels in the order of `class_names`."""
        detections: list[InstanceData] = super().predict_by_feat(*args, **kwargs)
        for instances in detections:
            instances.labels_3d = self.label_of_place[instances.labels_3d.long()]
        return detections
