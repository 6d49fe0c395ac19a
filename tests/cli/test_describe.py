"""`bevdistill describe`: parameters and taps of the shipped configs, losses, and what it prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import verbs

from bevdistill.cli import describe

REPO = Path(__file__).resolve().parents[2]
CONFIGS = REPO / 'configs'
TWINS = CONFIGS / 'synthetic'
DISTILLED = TWINS / 'bevdistill' / 'bevdistill_r50_1x_nus-3d.py'
STUDENT = TWINS / 'bevformer' / 'bevformer-t_r50_2x_nus-3d.py'
TEACHER = TWINS / 'object_dgcnn' / 'teacher_pillar02_cbgs_20e_nus-3d.py'


def described(tmp_path: Path, *argv: Any) -> dict[str, Any]:
    out = tmp_path / 'facts' / 'facts.json'
    verbs.run(describe, *argv, '--json', out)
    return json.loads(out.read_text())


def test_distiller(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = described(tmp_path, DISTILLED, '--no-flops', '--cfg-options', 'model.losses.dense.weight=2.5')
    student, teacher = facts['sides']['student'], facts['sides']['teacher']
    assert (student['type'], teacher['type']) == ('BEVFormer', 'ObjectDGCNN')
    assert student['parameters']['']['trained'] == student['parameters']['']['all'] > 10**5
    assert teacher['parameters']['']['trained'] == 0
    top = ('img_backbone', 'img_neck', 'pts_bbox_head')
    assert sum(student['parameters'][part]['all'] for part in top) == student['parameters']['']['all']
    dense, sparse = facts['losses']
    assert (dense['name'], dense['type'], dense['weight'], dense['parameters']) == ('dense', 'DenseBEVLoss', 2.5, 0)
    assert dense['schedule'] == dict(start=0.0, stop=1.0, warmup=0.0, decay_to=0.0)
    assert sparse['terms'] == {'contrast': 0.2, 'box': 0.25}
    assert {'student.states', 'teacher.states', 'targets'} <= set(sparse['wants'])
    # Two critics, each two linear layers of 64 channels with a layer norm between them, as the config has them.
    assert sparse['parameters'] == 2 * (2 * (64 * 64 + 64) + 2 * 64)
    shown = capsys.readouterr().out
    for words in (
        'student: BEVFormer, 32 x 32 cells of 1.6 m, 10 classes',
        'dense: DenseBEVLoss x 2.5',
        'start 0, stop 1, warmup 0, decay_to 0',
        'mask=SoftForeground(sigma=1.0)',
        'sparse: InstanceDistillLoss x 1; contrast x 0.2; box x 0.25',
        'loss_set.loss_cls FocalLoss x 2',
        'start from the teacher: decoder, branches, queries, heatmap',
        'teacher checkpoint: to be named',
    ):
        assert words in shown, words
    assert 'FLOPs' not in shown


def test_taps_say_who_wants_them(capsys: pytest.CaptureFixture[str]) -> None:
    verbs.run(describe, CONFIGS / 'bevdistill' / 'bevdistill_r50_1x_released_nus-3d.py', '--no-flops')
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith('  ')]
    rows = {line.split()[0]: line.split(maxsplit=3)[1:] for line in lines}
    assert rows['bev'] == ['yes', 'yes', 'contrast (student, teacher)']
    assert rows['heatmap_features'] == ['yes', 'yes', 'dense (student, teacher)']
    assert rows['states'] == ['yes', 'yes', '-']


@pytest.mark.parametrize('released', [False, True])
def test_loss_of_a_heatmap_is_told_where_there_is_one(tmp_path: Path, released: bool) -> None:
    form = '_released' if released else ''
    config = CONFIGS / 'bevdistill' / f'bevdistill_r50_1x{form}_nus-3d.py'
    own = described(tmp_path, config, '--no-flops')['sides']['student']['losses']
    weights = {name.rpartition('pts_bbox_head.')[2]: loss['weight'] for name, loss in own.items()}
    heatmap = {'loss_heatmap.focal': 1.0} if released else {}
    assert weights == {'loss_set.loss_cls': 2.0, 'loss_set.loss_bbox': 0.25, **heatmap}


def test_losses_of_weight_zero_are_not_built(tmp_path: Path) -> None:
    facts = described(tmp_path, DISTILLED, '--no-flops', '--cfg-options', 'model.losses.dense.weight=0')
    assert facts['losses'][0]['wants'] == []


def test_student(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = described(tmp_path, STUDENT, '--image-size', 64, 176)
    (side,) = facts['sides'].values()
    flops = side['flops']
    assert flops['image'] == [6, 64, 192]
    assert flops['not_counted'] == []
    counts = flops['by_module']
    parts = [counts[name] for name in ('img_backbone', 'img_neck', 'pts_bbox_head')]
    assert min(parts) > 10**7
    assert sum(parts) == counts['']
    # 6 images, 8 x 24 cells of 64 channels: one lateral 1x1 and one output 3x3 convolution.
    assert counts['img_neck'] == 6 * 8 * 24 * 64 * 64 * (1 + 9)
    # The auxiliary heatmap does not run in testing.
    assert counts.get('pts_bbox_head.shared_conv', 0) == 0
    assert side['parameters']['pts_bbox_head.shared_conv']['all'] > 0
    shown = capsys.readouterr().out
    assert '3 frames in training' in shown
    assert 'from 6 images of 64 x 192' in shown
    assert 'losses of distillation: none' in shown


def test_teacher(tmp_path: Path) -> None:
    facts = described(tmp_path, TEACHER)
    (side,) = facts['sides'].values()
    assert side['flops']['image'] is None
    assert side['flops']['by_module']['pts_backbone'] > 10**7
    assert side['parameters']['']['trained'] == side['parameters']['']['all']


def test_voxel_teacher_names_what_is_not_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip('spconv')
    file = TEACHER.with_name('teacher_voxel01_cbgs_20e_nus-3d.py')
    (side,) = described(tmp_path, file)['sides'].values()
    counts = side['flops']['by_module']
    assert side['flops']['not_counted'] == ['sparse convolutions of pts_middle_encoder']
    assert counts.get('pts_middle_encoder', 0) == 0
    assert min(counts['pts_voxel_encoder'], counts['pts_backbone'], counts['pts_bbox_head']) > 10**6
    assert 'not counted: sparse convolutions of pts_middle_encoder' in capsys.readouterr().out


def test_mistakes_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(FileNotFoundError, match=r'no config file .*did you mean'):
        verbs.run(describe, str(DISTILLED).replace('r50', 'r5'))
    with pytest.raises(ValueError, match='cannot override the config'):
        verbs.run(describe, DISTILLED, '--cfg-options', 'model.no_such_key=1')
    with pytest.raises(KeyError, match='must contain the key "type"'):  # Of mmengine, about a config.
        verbs.run(describe, DISTILLED, '--cfg-options', 'model._delete_=True', 'model.a=1')
    with pytest.raises(ValueError, match=r'^--json .*py: expected a file that ends in .json'):
        verbs.run(describe, DISTILLED, '--json', DISTILLED)
    with pytest.raises(SystemExit):
        verbs.parse(describe, DISTILLED, '--image-size', '3', '5')
    assert '--image-size: must be at least 32, got 3' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('switch', 'text'),
    [
        (None, 'refused'),
        (dict(min_score=0.3, max_boxes=300, weight=0.0), 'in the distillation losses alone'),
        (dict(min_score=0.3, max_boxes=9, weight=2.0), "at most 9, are their targets, in the student's own losses x 2"),
    ],
)
def test_frames_without_labels(switch: dict[str, Any] | None, text: str) -> None:
    facts = dict(losses=[], init_from_teacher=[], teacher_checkpoint=None, unlabelled=switch)
    assert describe.losses_text(facts).splitlines()[-1].endswith(text)
