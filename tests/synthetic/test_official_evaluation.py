"""Ground truth handed in as predictions is perfect for the official evaluator."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from nuscenes.eval.common.config import config_factory
from nuscenes.eval.detection.evaluate import NuScenesEval
from nuscenes.eval.detection.utils import category_to_detection_name
from nuscenes.nuscenes import NuScenes
from nuscenes.utils import splits

USES = {'use_camera': True, 'use_lidar': False, 'use_radar': False, 'use_map': False, 'use_external': False}


@pytest.mark.parametrize('split', ['mini_val', 'mini_train'])
def test_ground_truth_scores_one(nusc: NuScenes, tmp_path: Path, split: str) -> None:
    scenes = {scene['token'] for scene in nusc.scene if scene['name'] in getattr(splits, split)}
    results = {}
    for sample in (sample for sample in nusc.sample if sample['scene_token'] in scenes):
        records = [nusc.get('sample_annotation', token) for token in sample['anns']]
        results[sample['token']] = [
            {
                'sample_token': sample['token'],
                'translation': record['translation'],
                'size': record['size'],
                'rotation': record['rotation'],
                'velocity': nusc.box_velocity(record['token'])[:2].tolist(),
                'detection_name': category_to_detection_name(record['category_name']),
                'detection_score': 1.0,
                'attribute_name': ''.join(nusc.get('attribute', t)['name'] for t in record['attribute_tokens']),
            }
            for record in records
            # The evaluator drops true boxes without a point; a prediction there would be a false alarm.
            if record['num_lidar_pts'] > 0
        ]
    file = tmp_path / 'results.json'
    file.write_text(json.dumps({'meta': USES, 'results': results}))
    config = config_factory('detection_cvpr_2019')
    evaluator = NuScenesEval(nusc, config, str(file), split, str(tmp_path), verbose=False)
    metrics, _ = evaluator.evaluate()
    summary = metrics.serialize()
    assert summary['mean_ap'] == pytest.approx(1.0)
    assert summary['nd_score'] == pytest.approx(1.0)
    assert summary['tp_errors'] == pytest.approx(dict.fromkeys(summary['tp_errors'], 0.0), abs=1e-6)
    assert summary['tp_errors']['attr_err'] == 0.0
    assert summary['mean_dist_aps'] == pytest.approx(dict.fromkeys(summary['mean_dist_aps'], 1.0))
    assert len(summary['mean_dist_aps']) == 10
