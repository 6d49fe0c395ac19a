"""Compute average precision on one keyframe with the devkit's own functions, without the tables of nuScenes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmdet3d.registry import METRICS
from mmengine.evaluator import BaseMetric
from nuscenes.eval.common.config import config_factory
from nuscenes.eval.common.data_classes import EvalBoxes
from nuscenes.eval.common.utils import center_distance
from nuscenes.eval.detection.algo import accumulate, calc_ap

from ..datasets.infos import read_infos
from .ground_truth import devkit_boxes


@METRICS.register_module()
class KeyframeAP(BaseMetric):
    """Mean over the classes that are present of the AP at each centre distance of the nuScenes metric.

    ``nuscenes.eval.detection.algo.accumulate`` matches boxes by the distance of their centres on the ground, best score
    first, and ``calc_ap`` integrates precision above 10 % recall and 10 % precision. Ground truth is what training on
    the same file sees: the data set's boxes whose centre lies in range. There is no further limit by class.

    Reports ``mAP_<metres>`` for each distance, ``mAP`` over all four, and ``<class>_AP_2.0``, behind ``keyframe/``.

    Args:
        ann_file: Information file of the keyframe, for its poses.
        point_cloud_range: ``(x_min, y_min, z_min, x_max, y_max, z_max)``, metres.
    """

    default_prefix = 'keyframe'

    def __init__(self, ann_file: str, point_cloud_range: Sequence[float]) -> None:
        super().__init__()
        self.infos = {info['token']: info for info in read_infos(ann_file)['data_list']}
        self.point_cloud_range = tuple(point_cloud_range)
        self.config = config_factory('detection_cvpr_2019')

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep the predictions of a batch."""
        for sample in data_samples:
            boxes = sample['pred_instances_3d']
            predicted = {key: boxes[key].to('cpu') for key in ('bboxes_3d', 'scores_3d', 'labels_3d')}
            truth = self.truth_of(sample['eval_ann_info'])
            self.results.append({'token': sample['token'], 'truth': truth, 'predicted': predicted})

    def truth_of(self, annotations: dict[str, Any]) -> dict[str, Any]:
        """Return the boxes in range as predictions that score 1."""
        x_min, y_min, _, x_max, y_max, _ = self.point_cloud_range
        boxes, labels = annotations['gt_bboxes_3d'], torch.as_tensor(annotations['gt_labels_3d'])
        kept = boxes.in_range_bev((x_min, y_min, x_max, y_max))
        return {'bboxes_3d': boxes[kept], 'scores_3d': torch.ones(int(kept.sum())), 'labels_3d': labels[kept]}

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Score all predictions."""
        classes = list(self.dataset_meta['classes'])
        truth, predicted = EvalBoxes(), EvalBoxes()
        for result in results:
            info = self.infos[result['token']]
            truth.add_boxes(result['token'], devkit_boxes(result['truth'], info, classes))
            predicted.add_boxes(result['token'], devkit_boxes(result['predicted'], info, classes))
        present = [name for name in classes if any(box.detection_name == name for box in truth.all)]
        aps = {
            (name, distance): calc_ap(
                accumulate(truth, predicted, name, center_distance, distance),
                self.config.min_recall,
                self.config.min_precision,
            )
            for name in present
            for distance in self.config.dist_ths
        }
        metrics = {
            f'mAP_{distance}': float(np.mean([aps[name, distance] for name in present]))
            for distance in self.config.dist_ths
        }
        return {
            **metrics,
            'mAP': float(np.mean(list(metrics.values()))),
            **{f'{name}_AP_2.0': aps[name, 2.0] for name in present},
        }
