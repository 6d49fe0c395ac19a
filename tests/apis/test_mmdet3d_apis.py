"""mmdet3d's own functions on our configs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet3d.apis import LidarDet3DInferencer, inference_detector, init_model
from mmengine.config import Config

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'synthetic'
PILLARS = CONFIGS / 'object_dgcnn' / 'teacher_pillar02_cbgs_20e_nus-3d.py'


def test_a_cloud_is_detected_by_init_model_and_inference_detector(tmp_path: Path) -> None:
    points = np.random.default_rng(0).uniform(-20, 20, (500, 5)).astype(np.float32)
    points.tofile(tmp_path / 'cloud.bin')
    cfg = Config.fromfile(PILLARS)
    plain = init_model(deepcopy_of(cfg), None, device='cpu')
    classes = list(cfg.class_names)
    saved = dict(state_dict=plain.state_dict(), meta=dict(dataset_meta=dict(classes=classes)))
    torch.save(saved, tmp_path / 'weights.pth')
    model = init_model(cfg, str(tmp_path / 'weights.pth'), device='cpu')
    assert model.dataset_meta['classes'] == classes
    sample, data = inference_detector(model, str(tmp_path / 'cloud.bin'))
    assert data['inputs']['points'].shape[1] == 5
    found = sample.pred_instances_3d
    assert len(found.bboxes_3d) == len(found.scores_3d) > 0

    inferencer = LidarDet3DInferencer(str(PILLARS), str(tmp_path / 'weights.pth'), device='cpu')
    inferencer.show_progress = False
    for cloud, out in ((str(tmp_path / 'cloud.bin'), str(tmp_path / 'out')), (points, '')):
        (result,) = inferencer(dict(points=cloud), out_dir=out, no_save_vis=True)['predictions']
        torch.testing.assert_close(torch.tensor(result['bboxes_3d']), found.bboxes_3d.tensor.cpu())
    assert (tmp_path / 'out' / 'preds' / 'cloud.json').is_file()


@pytest.mark.usefixtures('no_random_weights')
@pytest.mark.parametrize('name', ['bevformer/bevformer_r50_1x_nus-3d.py', 'bevdistill/bevdistill_r50_1x_nus-3d.py'])
def test_init_model_builds_students_and_distillers(name: str) -> None:
    model = init_model(str(CONFIGS / name), None, device='cpu')
    assert not model.training
    assert model.cfg.model.type == type(model).__name__


def deepcopy_of(cfg: Config) -> Config:
    """Copy a config: init_model writes into the one that it is given."""
    return Config(cfg.to_dict())
