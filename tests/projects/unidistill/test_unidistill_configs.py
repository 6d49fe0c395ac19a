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


def test_boxes_of_one_object_are_compared_number_by_number(make_outputs, make_targets) -> None:
    """10/66 of the L1 distance of the boxes of both sides' queries that detection matches to an object."""
    config = Config.fromfile(str(CONFIGS / 'synthetic' / 'unidistill-response_r50_1x_nus-3d.py')).model.losses.boxes
    weight, loss = config.pop('weight'), MODELS.build(config.to_dict())
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(3, 2)
    boxes = []
    for side in (student, teacher):
        assigned = loss.pairing.matcher.match(side.logits[-1:], side.codes[-1:], targets)[0]
        boxes.append([side.codes[-1, b, assigned[b].tolist().index(t)] for b, n in enumerate((3, 2)) for t in range(n)])
    distances = [float((own - given).abs().sum()) for own, given in zip(*boxes, strict=True)]
    value = weight * loss(student, teacher, targets)['loss_box']
    assert float(value) == pytest.approx(10 / 66 * sum(distances) / 5, rel=1e-4)
