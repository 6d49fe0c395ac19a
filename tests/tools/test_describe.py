"""tools/analysis_tools/describe.py: counts against counting by hand, taps, losses, and what it says."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmcv.ops import ModulatedDeformConv2dPack
from torch import nn

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / 'tools' / 'analysis_tools'))

import describe  # noqa: E402
import describe_flops  # noqa: E402

from bevdistill.layers import FeatureLevels, sample_deformable  # noqa: E402

CONFIGS = REPO / 'configs'
TWINS = CONFIGS / 'synthetic'
DISTILLED = TWINS / 'bevdistill' / 'bevdistill_r50_1x_nus-3d.py'
STUDENT = TWINS / 'bevformer' / 'bevformer-t_r50_2x_nus-3d.py'
TEACHER = TWINS / 'object_dgcnn' / 'teacher_pillar02_cbgs_20e_nus-3d.py'


def described(tmp_path: Path, *argv: Any) -> dict[str, Any]:
    out = tmp_path / 'facts' / 'facts.json'
    describe.main([*map(str, argv), '--json', str(out)])
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
    describe.main([str(CONFIGS / 'bevdistill' / 'bevdistill_r50_1x_released_nus-3d.py'), '--no-flops'])
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


def test_history_is_counted() -> None:
    """With history the attention to the past has two maps to sample."""
    from mmdet3d.registry import MODELS
    from mmengine.config import Config
    from mmengine.registry import init_default_scope

    cfg = Config.fromfile(STUDENT)
    init_default_scope('mmdet3d')
    sensors = describe_flops.SensorData(cfg.test_dataloader.dataset, (64, 176), points=0)
    counts = []
    for length in (1, 3):
        model = MODELS.build(dict(cfg.model, queue_length=length))
        counts.append(describe_flops.count_flops(model, model.data_preprocessor, sensors).by_module)
    encoder = 'pts_bbox_head.transformer.encoder'
    assert counts[1]['img_backbone'] == counts[0]['img_backbone']
    assert counts[1][encoder] > counts[0][encoder]


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


def test_kept_answers_are_forgotten() -> None:
    layer = nn.Linear(2, 2)
    ones = torch.ones(1, 2)
    with describe_flops.answers_kept([layer]) as keep:
        before = layer(ones)
        keep()
        assert torch.equal(layer(2 * ones), before)
    assert not torch.equal(layer(2 * ones), before)
    assert 'forward' not in vars(layer)


def test_deformable_convolutions_count_as_plain_ones() -> None:
    from mmengine.analysis import FlopAnalyzer

    def count(layer: nn.Module) -> int:
        analyzer = FlopAnalyzer(layer.eval(), (torch.zeros(2, 4, 5, 7),)).unsupported_ops_warnings(False)
        name = describe_flops.CUSTOM + 'ModulatedDeformConv2dFunction'
        return int(analyzer.set_op_handle(name, describe_flops.deformable_convolution).total())

    product = 2 * 5 * 7 * 6 * 4 * 9
    assert count(nn.Conv2d(4, 6, 3, padding=1)) == product
    # It also has a plain convolution to 27 channels for offsets and mask.
    assert count(ModulatedDeformConv2dPack(4, 6, 3, padding=1)) == product + 2 * 5 * 7 * 27 * 4 * 9


def test_made_up_cameras_see_the_road() -> None:
    """A point 15 m ahead is in the middle of the front camera after resizing, and in no other but its neighbours."""
    dataset = dict(pipeline=dict(images=dict(type='ImageQueue', transforms=dict(
        load=dict(type='LoadCameraImages'), resize=dict(type='ResizeCropCameras', scale=0.5)))))
    batch = describe_flops.SensorData(dataset, (900, 1600), points=100).batch(0)
    (images,), (sample,) = batch['inputs']['img'], batch['data_samples']
    assert images.shape == (1, 6, 3, 450, 800)
    pixels = sample.metainfo['lidar2img'][0] @ np.array([0.0, 15.0, -0.5, 1.0])
    seen = {
        name for name, (u, v, depth, _) in zip(describe_flops.CAMERAS, pixels, strict=True)
        if depth > 0 and 0 < u / depth < 800 and 0 < v / depth < 450
    }
    assert seen == {'CAM_FRONT'}
    assert pixels[0][0] / pixels[0][2] == pytest.approx(400, abs=40)
    (points,) = batch['inputs']['points']
    assert points.shape == (100, 5)
    assert points[:, :2].norm(dim=1).max() <= 50


@pytest.mark.parametrize(('count', 'text'), [
    (0, '-'), (999, '999'), (1000, '1.00 k'), (65432, '65.4 k'), (999_600, '1.00 M'), (42_860_000, '42.9 M'),
    (1_234_000_000_000, '1234 G'),
])
def test_number(count: int, text: str) -> None:
    assert describe.number(count) == text


def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r'describe\.py: error: no config file .*did you mean'):
        describe.main([str(DISTILLED).replace('r50', 'r5')])
    with pytest.raises(SystemExit, match=r"describe\.py: error: cannot override the config"):
        describe.main([str(DISTILLED), '--cfg-options', 'model.no_such_key=1'])
    with pytest.raises(SystemExit):
        describe.main([str(DISTILLED), '--image-size', '3', '5'])
    assert '--image-size must be at least 32 32' in capsys.readouterr().err


def test_sampling_counts_four_cells_a_sample_and_channel() -> None:
    from mmengine.analysis import FlopAnalyzer

    class Sampler(nn.Module):
        def forward(self, value: torch.Tensor) -> torch.Tensor:
            locations, weights = torch.rand(2, 7, 3, 1, 4, 2), torch.rand(2, 7, 3, 1, 4)
            return sample_deformable(value, FeatureLevels.of([(4, 5)]), locations, weights)

    analyzer = FlopAnalyzer(Sampler(), (torch.zeros(2, 20, 3, 8),)).unsupported_ops_warnings(False)
    analyzer.tracer_warnings('none').set_op_handle(
        describe_flops.CUSTOM + 'HostSampling', describe_flops.deformable_sampling
    )
    assert int(analyzer.total()) == 4 * (2 * 7 * 3 * 4) * 8


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
