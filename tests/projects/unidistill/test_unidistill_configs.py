"""The configs with all three losses begin as a lab note, build, and give the student the heatmap that one wants."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

import bevdistill  # noqa: F401

CONFIGS = Path(__file__).resolve().parents[3] / 'projects' / 'unidistill' / 'configs'


@pytest.mark.parametrize('folder', ['', 'synthetic'])
def test_all_three_losses(folder: str) -> None:
    file = CONFIGS / folder / 'unidistill-response_r50_1x_nus-3d.py'
    header = file.read_text().split('\n_base_')[0]
    assert all(word in header for word in ('# Command', '# Hardware', '# Result    Not measured here yet', file.name))
    config = Config.fromfile(str(file)).model.to_dict() | dict(teacher_checkpoint='teacher.pth')
    init_default_scope('mmdet3d')
    model = MODELS.build(config)
    assert model.loss_weights == dict(feature=100.0, relation=40.0, response=10.0, boxes=pytest.approx(10 / 66))
    config['student']['pts_bbox_head']['aux_heatmap'] = None
    with pytest.raises(ValueError, match=r"loss 'response' \(UniDistillResponseLoss\) wants 'student\.heatmap'"):
        MODELS.build(config)
