"""CenterPoint as a teacher: mmdet3d's weights fit, samples without points stay, losses it cannot feed are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mmdet3d
import pytest
import torch
from mmdet3d.models.layers.spconv import IS_SPCONV2_AVAILABLE
from mmdet3d.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from torch import nn
from twins import raw_batch

import projects.centerpoint  # noqa: F401
from bevdistill.structures import BEVGrid
from bevdistill.teacher_cache import RecordLayout

REPO = Path(__file__).resolve().parents[3]
CONFIGS = REPO / 'projects' / 'centerpoint' / 'configs'
THEIRS = Path(mmdet3d.__file__).parent / '.mim' / 'configs' / 'centerpoint'


def build(config: dict[str, Any]) -> nn.Module:
    init_default_scope('mmdet3d')
    torch.manual_seed(0)
    return MODELS.build(config)


@pytest.fixture(scope='module')
def twin() -> dict[str, Any]:
    """Config of the CPU-sized distiller's model; for reading only."""
    return Config.fromfile(str(CONFIGS / 'synthetic' / 'centerpoint-heatmap_r50_1x_nus-3d.py')).model.to_dict()


@pytest.fixture(scope='module')
def distiller(twin: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> nn.Module:
    """The CPU-sized distiller with a teacher that has learned nothing."""
    file = tmp_path_factory.mktemp('teacher') / 'teacher.pth'
    torch.save(dict(state_dict=build(twin['teacher']).state_dict()), file)
    model = build(twin | dict(teacher_checkpoint=str(file)))
    model.init_weights()
    return model.train()


@pytest.mark.parametrize('kind', ['voxel01', 'pillar02'])
def test_weights_are_those_of_mmdet3ds_config(kind: str) -> None:
    theirs = THEIRS / f'centerpoint_{kind}_second_secfpn_head-circlenms_8xb4-cyclic-20e_nus-3d.py'
    if not theirs.is_file():
        pytest.skip('mmdet3d was installed without its configs')
    if kind == 'voxel01' and not IS_SPCONV2_AVAILABLE:
        pytest.skip('spconv 2.x is not installed')
    files = (theirs, CONFIGS / f'centerpoint_{kind}_cbgs_20e_nus-3d.py')
    expected, got = (shapes_of(Config.fromfile(str(file)).model) for file in files)
    assert len(expected) > 200
    assert got == expected
    # What decides how targets and boxes are read.
    reference, ours = (Config.fromfile(str(file)).model.to_dict() for file in files)
    assert ours['train_cfg'] == reference['train_cfg']
    own_only = dict(type='OrderedCenterHead', class_names=ours['pts_bbox_head']['class_names'])
    assert ours['pts_bbox_head'] == reference['pts_bbox_head'] | own_only


def shapes_of(config: ConfigDict) -> dict[str, tuple[int, ...]]:
    """Shapes of a model's weights by name."""
    config.data_preprocessor = None
    return {name: tuple(value.shape) for name, value in build(config).state_dict().items()}


@pytest.mark.parametrize('folder', ['', 'synthetic'])
def test_config_with_the_heatmap_builds(folder: str) -> None:
    if not folder and not IS_SPCONV2_AVAILABLE:
        pytest.skip('spconv 2.x is not installed')
    config = Config.fromfile(str(CONFIGS / folder / 'centerpoint-heatmap_r50_1x_nus-3d.py')).model.to_dict()
    model = build(config | dict(teacher_checkpoint='teacher.pth'))
    assert set(model.losses) == {'dense', 'heatmap'}


def test_configs_begin_as_a_lab_note() -> None:
    files = [*CONFIGS.glob('*.py'), *CONFIGS.glob('synthetic/*.py')]
    assert len(files) == 8
    studied = ('centerpoint-heatmap_r50_1x_few-labels_nus-3d.py', 'synthetic/centerpoint_pillar02_cbgs_20e_nus-3d.py')
    for file in files:
        header = file.read_text().split('\n_base_')[0]
        result = 'docs/results/benchmark.md: measured here' if str(file).endswith(studied) else 'easured here yet'
        assert all(word in header for word in ('# Command', '# Hardware', '# Result', result, file.name))


def test_offers_maps_and_no_queries(distiller: nn.Module) -> None:
    """The last sample has no points: mmdet3d's own detector would lose it."""
    inputs = distiller.data_preprocessor(raw_batch([2, 1], empty=[1]), training=True)
    outputs = distiller.teacher(inputs['inputs'], inputs['data_samples'])
    assert outputs.grid == BEVGrid((-25.6, -25.6, -5.0, 25.6, 25.6, 3.0), 32, 32)
    assert outputs.bev.shape == (2, 64, 32, 32)
    assert outputs.heatmap.shape == (2, 10, 32, 32)
    assert outputs.heatmap_features.shape == (2, 32, 32, 32)
    assert outputs.logits.shape == (1, 2, 0, 10)
    assert distiller.teacher.taps == ('bev', 'heatmap', 'heatmap_features')
    assert float((outputs.bev[0] - outputs.bev[1]).abs().max()) > 0


def test_no_points_at_all(distiller: nn.Module) -> None:
    inputs = distiller.data_preprocessor(raw_batch([1, 0], empty=[0, 1]), training=True)
    outputs = distiller.teacher(inputs['inputs'], inputs['data_samples'])
    torch.testing.assert_close(outputs.heatmap[0], outputs.heatmap[1])
    assert bool(outputs.heatmap.isfinite().all())


@pytest.mark.parametrize('boxes', [(3, 2), (0, 0)], ids=str)
def test_a_step_teaches_student_and_adapter_alone(distiller: nn.Module, boxes: tuple[int, int]) -> None:
    before = {name: value.clone() for name, value in distiller.teacher.detector.state_dict().items()}
    distiller.zero_grad()
    inputs = distiller.data_preprocessor(raw_batch(boxes), training=True)
    losses = distiller.loss(inputs['inputs'], inputs['data_samples'])
    distilled = {name: value for name, value in losses.items() if name.startswith('distill.')}
    assert set(distilled) == {'distill.dense.loss', 'distill.heatmap.loss'}
    assert all((float(value) > 0) == (boxes != (0, 0)) for value in distilled.values())
    sum(distilled.values()).backward()
    assert all(weight.grad is not None for weight in distiller.losses.parameters())
    touched = [weight.grad for weight in distiller.student.parameters() if weight.grad is not None]
    assert touched
    assert (sum(float(gradient.abs().sum()) for gradient in touched) > 0) == (boxes != (0, 0))
    assert all(weight.grad is None for weight in distiller.teacher.parameters())
    for name, value in distiller.teacher.detector.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    assert not [name for name in distiller.state_dict() if 'teacher' in name]


def test_losses_that_want_queries_are_refused_when_built(twin: dict[str, Any]) -> None:
    base = Config.fromfile(str(REPO / 'configs/synthetic/bevdistill/bevdistill_r50_1x_nus-3d.py')).model.to_dict()
    model = twin | dict(teacher_checkpoint='teacher.pth', losses=base['losses'])
    with pytest.raises(ValueError, match=r"loss 'sparse' \(InstanceDistillLoss\) wants 'teacher\.logits'") as error:
        build(model)
    assert "loss 'sparse' (InstanceDistillLoss) wants 'teacher.states'" in str(error.value)
    assert "'teacher.heatmap'" in str(error.value).split('offered:')[1]


def test_a_student_cannot_start_from_it(twin: dict[str, Any], distiller: nn.Module) -> None:
    path = str(distiller.teacher.checkpoint.path)
    model = build(twin | dict(teacher_checkpoint=path, init_from_teacher=dict(decoder=True)))
    with pytest.raises(ValueError, match='missing in the teacher'):
        model.init_weights()


def test_voxels_must_be_hard_ones(distiller: nn.Module) -> None:
    detector = distiller.teacher.detector
    with pytest.raises(ValueError, match=r"reads hard voxels.*got None\. Give the data_preprocessor voxel=True"):
        detector.forward_outputs(dict(points=[torch.zeros(0, 5)]))


def test_a_cache_holds_its_maps(distiller: nn.Module) -> None:
    inputs = distiller.data_preprocessor(raw_batch([2, 1]), training=True)
    outputs = distiller.teacher(inputs['inputs'], inputs['data_samples'])
    layout = RecordLayout.plan(outputs, ['bev', 'heatmap'], 'float32')
    records = torch.stack([torch.from_numpy(layout.pack(outputs, sample)) for sample in range(2)])
    read = layout.unpack(records, outputs.grid)
    torch.testing.assert_close(read.bev, outputs.bev, rtol=0, atol=0)
    torch.testing.assert_close(read.heatmap, outputs.heatmap, rtol=0, atol=0)
    assert read.codes.shape == (1, 2, 0, 10)
