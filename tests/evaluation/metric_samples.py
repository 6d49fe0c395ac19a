"""The metric on the synthetic root, and predictions for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet3d.datasets import NuScenesDataset
from mmdet3d.registry import METRICS
from mmdet3d.structures import LiDARInstance3DBoxes

from bevdistill.evaluation import BEVNuScenesMetric

CLASSES = NuScenesDataset.METAINFO['classes']


def metric(synthetic_root: Path, synthetic_infos: Path, **options: Any) -> BEVNuScenesMetric:
    built = METRICS.build(
        {
            'type': 'BEVNuScenesMetric',
            'data_root': str(synthetic_root),
            'ann_file': str(synthetic_infos / 'nuscenes_infos_val.msgpack.gz'),
            **options,
        }
    )
    built.dataset_meta = {'classes': CLASSES, 'version': 'v1.0-mini', 'modality': {'use_camera': True}}
    return built


def prediction(record: dict[str, Any], position: int, boxes: np.ndarray, labels: list[int]) -> dict[str, Any]:
    return {
        'sample_idx': position,
        'token': record['token'],
        'pred_instances_3d': {
            'bboxes_3d': LiDARInstance3DBoxes(boxes, box_dim=9, origin=(0.5, 0.5, 0.5)),
            'scores_3d': torch.linspace(0.5, 0.9, len(labels)),
            'labels_3d': torch.tensor(labels, dtype=torch.long),
        },
        'pred_instances': {},
    }


def ground_truth(record: dict[str, Any], position: int, shift: float = 0.0) -> dict[str, Any]:
    kept = [i for i in record['instances'] if i['bbox_label'] >= 0 and i['num_lidar_pts'] > 0]
    boxes = np.array([[*i['bbox_3d'], *np.nan_to_num(i['velocity'])] for i in kept]).reshape(-1, 9)
    boxes[:, 0] += shift
    return prediction(record, position, boxes, [i['bbox_label'] for i in kept])


def score(built: BEVNuScenesMetric, samples: list[dict[str, Any]]) -> dict[str, float]:
    built.process({}, samples)
    scores: dict[str, float] = built.evaluate(len(samples))
    return scores
