"""Object-DGCNN on voxels, hard and dynamic. A CPU runs it forward only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.logging import MessageHub
from torch import Tensor

from bevdistill.distillers.frozen_teacher import FrozenTeacher
from bevdistill.distillers.teacher_checkpoint import TeacherCheckpoint
from bevdistill.engine import check_trainable
from bevdistill.structures import BEVOutputs
from bevdistill.teachers import ObjectDGCNN

from .batches import build, make_batch, make_points, make_sample
from .model_configs import cpu_teacher_voxel01, cpu_voxel01, distiller_on_voxels, teacher_voxel01, voxel01

pytest.importorskip('spconv', reason='spconv is not installed')
FORMS = {'hard': cpu_voxel01, 'dynamic': cpu_teacher_voxel01}


@pytest.fixture(scope='module', params=FORMS)
def detector(request: pytest.FixtureRequest) -> ObjectDGCNN:
    torch.manual_seed(0)
    detector = build(FORMS[request.param]()).eval()
    assert detector.data_preprocessor.voxel_type == request.param
    return detector


def outputs_of(detector: ObjectDGCNN, *points: Tensor) -> BEVOutputs:
    data = detector.data_preprocessor(dict(inputs=dict(points=list(points)), data_samples=None))
    return detector.forward_outputs(data['inputs'])


@torch.no_grad()
def test_forward_loss_and_predict(detector: ObjectDGCNN) -> None:
    inputs, samples = make_batch(detector, (400, 300), (5, 0))
    outputs = detector.forward_outputs(inputs, samples)
    assert outputs.bev.shape == (2, 64, 32, 32)
    assert outputs.codes.shape == (2, 2, 64, 10)
    assert torch.isfinite(outputs.codes).all()
    losses = detector.loss_from_outputs(outputs, samples)
    assert all(torch.isfinite(value) for value in losses.values())
    for result in detector(inputs, samples, mode='predict'):
        assert result.pred_instances_3d.bboxes_3d.tensor.shape[1] == 9


@torch.no_grad()
def test_samples_of_a_batch_do_not_mix(detector: ObjectDGCNN) -> None:
    first, second = make_points(300), make_points(200)
    both, alone = outputs_of(detector, first, second), outputs_of(detector, second)
    torch.testing.assert_close(both.bev[1:], alone.bev, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(both.codes[:, 1:], alone.codes, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_points_off_centre_land_in_their_cell(detector: ObjectDGCNN) -> None:
    spot = torch.tensor([[17.0, -9.0, 0.0, 0.5, 0.0]])
    points = spot.repeat(40, 1) + torch.rand(40, 5) * torch.tensor([0.8, 0.8, 1.0, 0.0, 0.0])
    data = detector.data_preprocessor(dict(inputs=dict(points=[points]), data_samples=None))
    canvas = detector.encode_points(data['inputs'])
    hits = canvas.abs().sum(dim=1)[0].nonzero().tolist()
    col, row = detector.grid.to_cells(spot[0, :2] + 0.4).floor().long().tolist()
    assert [row, col] in hits
    # The strided convolutions may reach into the next cell.
    assert all(abs(r - row) <= 1 and abs(c - col) <= 1 for r, c in hits)


@pytest.mark.parametrize('counts', [(200, 0), (0, 200), (0, 0), (1, 0)])
@torch.no_grad()
def test_samples_without_a_point(detector: ObjectDGCNN, counts: tuple[int, int]) -> None:
    outputs = outputs_of(detector, *map(make_points, counts))
    assert outputs.batch_size == 2
    assert torch.isfinite(outputs.codes).all()


@torch.no_grad()
def test_points_outside_the_range_change_nothing(detector: ObjectDGCNN) -> None:
    points = make_points(200)
    far = points[:50] + 100
    torch.testing.assert_close(
        outputs_of(detector, torch.cat((points, far))).bev, outputs_of(detector, points).bev, atol=1e-5, rtol=1e-4
    )
    assert torch.isfinite(outputs_of(detector, far).codes).all()


def test_a_batch_without_points_is_in_the_graph_of_every_parameter(
    detector: ObjectDGCNN, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it would be on CUDA, where one rank may have such a batch and the others wait for its gradients."""
    monkeypatch.setattr(detector.pts_middle_encoder, 'check_trainable', lambda: None)
    detector.zero_grad()
    inputs, samples = make_batch(detector, (0, 0), (2, 0))
    sum(detector.loss_from_outputs(detector.forward_outputs(inputs), samples).values()).backward()
    assert [name for name, parameter in detector.named_parameters() if parameter.grad is None] == []


@torch.no_grad()
def test_voxels_are_made_in_full_precision_under_autocast(detector: ObjectDGCNN) -> None:
    inputs, _ = make_batch(detector, (300, 300), (0, 0))
    want = detector.encode_points(inputs)
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(detector.encode_points(inputs), want)
        outputs = detector.forward_outputs(inputs)
    assert torch.isfinite(outputs.codes).all()
    torch.testing.assert_close(outputs.bev.float(), detector.forward_outputs(inputs).bev, atol=0.2, rtol=0.1)


@pytest.mark.parametrize('form', FORMS)
def test_the_other_kind_of_voxels_is_refused(form: str) -> None:
    detector = build(FORMS[form]())
    inputs, _ = make_batch(build(FORMS['hard' if form == 'dynamic' else 'dynamic']()), (50,), (0,))
    with pytest.raises(ValueError, match=f"reads {form} voxels.*voxel_type='{form}'"):
        detector.forward_outputs(inputs)


def test_training_on_a_cpu_is_refused(detector: ObjectDGCNN) -> None:
    with pytest.raises(ValueError, match='cannot be trained on a CPU'):
        check_trainable(detector)
    inputs, samples = make_batch(detector, (50,), (1,))
    with pytest.raises(ValueError, match='cannot be trained on a CPU'):
        detector.train()(inputs, samples, mode='loss')
    detector.eval()


def test_a_frozen_teacher_answers_on_a_cpu(detector: ObjectDGCNN, tmp_path: Path) -> None:
    """A student trains beside it, with the weights that a file brings."""
    torch.save(dict(state_dict=detector.state_dict()), tmp_path / 'teacher.pth')
    config = FORMS[detector.data_preprocessor.voxel_type]()
    config.pop('data_preprocessor')
    checkpoint = TeacherCheckpoint(tmp_path / 'teacher.pth', trusted=True)
    teacher = FrozenTeacher(MODELS.build(config), checkpoint).train()
    check_trainable(teacher)
    inputs, samples = make_batch(detector, (300,), (1,))
    got = teacher(inputs, samples)
    with torch.no_grad():
        want = detector.forward_outputs(inputs)
    assert torch.equal(got.bev, want.bev) and not got.bev.requires_grad


@pytest.fixture
def half_way() -> Iterator[None]:
    """Scheduled weights of losses ask how far the training is."""
    MessageHub.get_current_instance().update_info_dict(dict(iter=50, max_iters=100))
    yield
    MessageHub._instance_dict.clear()


@pytest.mark.usefixtures('half_way')
def test_a_student_learns_from_a_voxel_teacher_on_a_cpu(tmp_path: Path) -> None:
    teacher = build(cpu_teacher_voxel01())
    torch.save(dict(state_dict=teacher.state_dict()), tmp_path / 'teacher.pth')
    config = distiller_on_voxels()
    distiller = MODELS.build(config | dict(teacher_checkpoint=str(tmp_path / 'teacher.pth'), trust_teacher=True))
    distiller.init_weights()
    check_trainable(distiller)
    images = [torch.randint(0, 255, (1, 6, 3, 64, 176), dtype=torch.uint8) for _ in range(2)]
    samples = [make_sample(3), make_sample(0)]
    for sample in samples:
        sample.set_metainfo(
            dict(
                token='t',
                lidar2img=np.tile(np.eye(4, dtype=np.float32) * 100, (1, 6, 1, 1)),
                can_bus=np.zeros((1, 18), dtype=np.float32),
                history_exists=np.zeros(1, dtype=bool),
                img_shape=[(64, 176)] * 6,
            )
        )
    batch = dict(inputs=dict(img=images, points=[make_points(300), make_points(0)]), data_samples=samples)
    losses = distiller.train()(**distiller.data_preprocessor(batch, training=True), mode='loss')
    total, _ = distiller.parse_losses(losses)
    total.backward()
    assert torch.isfinite(total)
    assert {'distill.dense.loss', 'distill.sparse.loss_box'} <= set(losses)
    assert all(parameter.grad is None for parameter in distiller.teacher.parameters())


def test_names_and_shapes_of_the_released_teacher(golden: Any) -> None:
    meta, _ = golden('keys_bevdistill_teacher')
    weights = MODELS.build(teacher_voxel01()).state_dict()
    # The file has kernels as z, y, x, in, out.
    kernel_first = {name: list(value.movedim(0, -1).shape) for name, value in weights.items() if value.dim() == 5}
    assert len(kernel_first) == 21
    assert {name: list(value.shape) for name, value in weights.items()} | kernel_first == meta['keys']
    assert len(weights) == 518


def test_weights_in_the_layout_of_the_release_load(golden: Any) -> None:
    meta, _ = golden('keys_bevdistill_teacher')
    model = MODELS.build(teacher_voxel01())
    released = {name: torch.rand(shape) if shape else torch.tensor(0) for name, shape in meta['keys'].items()}
    assert str(model.load_state_dict(released, strict=True)) == '<All keys matched successfully>'
    name = 'pts_middle_encoder.encoder_layers.encoder_layer2.2.0.weight'
    assert torch.equal(model.state_dict()[name], released[name].movedim(-1, 0))


def test_published_maps_and_names() -> None:
    model = MODELS.build(voxel01()).eval()
    assert model.grid.cell_size == pytest.approx((0.8, 0.8))
    assert model.pts_middle_encoder.output_shape == (256, 128, 128)
    with torch.no_grad():
        levels = model.pts_neck(model.pts_backbone(torch.zeros(1, 256, 32, 32)))
    assert [tuple(level.shape[1:]) for level in levels] == [(256, 32, 32), (256, 16, 16), (256, 8, 8), (256, 4, 4)]
    names = model.state_dict()
    assert names['pts_middle_encoder.conv_input.0.weight'].shape == (16, 3, 3, 3, 5)
    assert not [name for name in names if name.startswith('pts_voxel_encoder')]
    assert names['pts_bbox_head.transformer.decoder.layers.5.attentions.0.conv2.0.weight'].shape == (256, 512, 1, 1)


@pytest.mark.parametrize('make_config', [voxel01, teacher_voxel01])
@torch.no_grad()
def test_a_real_sweep_at_full_size(keyframe: Path, make_config: Any) -> None:
    """One LiDAR sweep of 34,000 points as far as the BEV map: four seconds on an idle core, most of them sparse."""
    points = torch.from_numpy(np.fromfile(next(keyframe.glob('*LIDAR_TOP*.bin')), np.float32).reshape(-1, 5))
    points[:, 4] = 0
    model = MODELS.build(make_config()).eval()
    data = model.data_preprocessor(dict(inputs=dict(points=[points]), data_samples=None))
    canvas = model.encode_points(data['inputs'])
    assert canvas.shape == (1, 256, 128, 128)
    assert torch.isfinite(canvas).all() and (canvas != 0).any(dim=1).float().mean() > 0.1
