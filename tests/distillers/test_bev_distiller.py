"""A distiller's step: losses, gradients, what is saved and what is trained."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapper, build_optim_wrapper
from small_distiller import DENSE, SPARSE, build


def test_losses_of_a_step(save_teacher, batch) -> None:
    model = build(save_teacher())
    model.init_weights()
    losses = model(**batch(), mode='loss')
    assert set(losses) == {
        'loss_cls',
        'loss_bbox',
        'loss_heatmap',
        'distill.dense.loss',
        'distill.sparse.d0.loss_box',
        'distill.sparse.loss_box',
        'distill.sparse.loss_contrast',
        'distill.sparse.pairs',
        'distill.sparse.quality',
    }
    total, log = model.parse_losses(losses)
    trained = [value for name, value in losses.items() if 'loss' in name]
    torch.testing.assert_close(total, torch.stack(trained).sum())
    total.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert all(parameter.grad is None for parameter in model.teacher.parameters())


def test_student_losses_are_those_of_the_student_alone(save_teacher, batch) -> None:
    model = build(save_teacher()).eval()
    alone = model.student.loss(**{'inputs': batch()['inputs'], 'samples': batch()['data_samples']})
    losses = model(**batch(), mode='loss')
    for name, value in alone.items():
        torch.testing.assert_close(losses[name], value)


def test_weights_scale_the_terms(save_teacher, batch) -> None:
    path = save_teacher()
    plain = build(path, losses=dict(dense=DENSE)).eval()
    heavy = build(path, losses=dict(dense=DENSE | dict(weight=3.0))).eval()
    heavy.load_state_dict(plain.state_dict())
    key = 'distill.dense.loss'
    torch.testing.assert_close(heavy(**batch(), mode='loss')[key], 3 * plain(**batch(), mode='loss')[key])


def test_weight_zero_builds_nothing(save_teacher, batch) -> None:
    model = build(save_teacher(), losses=dict(dense=DENSE | dict(weight=0.0), sparse=SPARSE, gone=None))
    assert list(model.losses) == ['sparse']


def test_schedule_reads_the_progress_of_training(save_teacher, batch) -> None:
    model = build(save_teacher(), losses=dict(dense=DENSE | dict(weight=2.0, schedule=dict(decay_to=0.0)))).eval()
    with pytest.raises(ValueError, match='needs to know the progress of training'):
        model(**batch(), mode='loss')
    hub = MessageHub.get_current_instance()
    values = []
    for step in (0, 5, 10):
        hub.update_info_dict(dict(iter=step, max_iters=10))
        losses = model(**batch(), mode='loss')
        values.append(float(losses['distill.dense.loss']))
        assert float(losses['distill.dense.weight']) == pytest.approx(2.0 * (1 - step / 10))
    assert values[1] == pytest.approx(values[0] / 2)
    assert values[2] == 0


def test_teacher_is_in_nothing_that_trains_or_saves(save_teacher, batch) -> None:
    model = build(save_teacher())
    model.init_weights()
    ours = {id(parameter) for parameter in model.parameters()}
    assert not ours & {id(parameter) for parameter in model.teacher.parameters()}
    assert {name.split('.')[0] for name in model.state_dict()} == {'student', 'losses'}
    assert not any('teacher.' in name and 'critic' not in name for name in model.state_dict())
    wrapper: OptimWrapper = build_optim_wrapper(
        model,
        dict(
            optimizer=dict(type='AdamW', lr=0.1),
            paramwise_cfg=dict(custom_keys={'student.stem': dict(lr_mult=0.1)}),
            constructor='DefaultOptimWrapperConstructor',
        ),
    )
    stepped = {id(p) for group in wrapper.optimizer.param_groups for p in group['params']}
    assert stepped == ours
    before = copy.deepcopy(model.teacher.state_dict())
    model.train()
    model.train_step(batch(), wrapper)
    model.teacher.train()
    model(**batch(), mode='loss')
    assert not any(module.training for module in model.teacher.modules())
    for name, value in model.teacher.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_checkpoint_round_trip_is_strict(save_teacher, batch) -> None:
    path = save_teacher()
    first, second = build(path), build(path)
    first.init_weights()
    second.load_state_dict(first.state_dict(), strict=True)
    plain = MODELS.build(dict(type='FakeDetector', source='imgs'))
    state = {name.removeprefix('student.'): w for name, w in first.state_dict().items() if name.startswith('student.')}
    plain.load_state_dict(state, strict=True)
    assert set(first.checkpoint_meta()['teacher']) == {'path', 'sha256'}
    assert len(first.teacher_identity['sha256']) == 64


def test_init_weights_does_not_touch_the_teacher(save_teacher) -> None:
    path = save_teacher()
    model = build(path)
    model.init_weights()
    saved = torch.load(path, weights_only=True)['state_dict']
    for name, value in model.teacher.detector.state_dict().items():
        torch.testing.assert_close(value, saved[name], rtol=0, atol=0)


def test_student_starts_from_its_own_checkpoint(save_teacher) -> None:
    # A fake detector of the student's kind, saved as the undistilled student is.
    first = build(save_teacher())
    first.init_weights()
    saved = torch.load(save_teacher(), weights_only=True)
    path = Path(save_teacher()).with_name('undistilled.pth')
    weights = {name: torch.ones_like(value) for name, value in first.student.state_dict().items()}
    torch.save(saved | dict(state_dict=weights), path)
    model = build(save_teacher(), student_checkpoint=str(path))
    model.init_weights()
    for name, value in weights.items():
        assert torch.equal(model.student.state_dict()[name], value), name
    build(save_teacher(), student_checkpoint='gone.pth')  # in testing it need not exist


def test_same_seed_gives_the_student_the_weights_of_the_student_alone(save_teacher) -> None:
    path = save_teacher()
    torch.manual_seed(1)
    alone = MODELS.build(dict(type='FakeDetector', source='imgs'))
    alone.init_weights()
    model = build(path)
    model.init_weights()
    for name, value in alone.state_dict().items():
        torch.testing.assert_close(model.student.state_dict()[name], value, rtol=0, atol=0)


def test_predict_is_the_students_and_needs_no_teacher_weights(tmp_path, batch) -> None:
    model = build(tmp_path / 'absent.pth').eval()
    data = batch()
    boxes = [sample.pred_instances_3d.bboxes_3d.tensor for sample in model(**data, mode='predict')]
    data['inputs'].pop('points')
    alone = [sample.pred_instances_3d.bboxes_3d.tensor for sample in model.student(**data, mode='predict')]
    for got, want in zip(boxes, alone, strict=True):
        torch.testing.assert_close(got, want)


def test_sizes_may_differ(save_teacher, batch) -> None:
    teacher = dict(channels=7, layers=3, queries=11, rows=12, cols=16)
    sparse = copy.deepcopy(SPARSE)
    sparse['terms']['contrast']['teacher_critic']['in_channels'] = 7
    dense = DENSE | dict(adapter=dict(type='ConvAdapter', student_channels=4, teacher_channels=7))
    model = build(
        save_teacher(**teacher),
        teacher=dict(type='FakeDetector', source='points', **teacher),
        losses=dict(dense=dense, sparse=sparse),
    )
    losses = model(**batch(teacher_scale=2), mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_no_ground_truth_gives_finite_losses_and_all_gradients(save_teacher, batch) -> None:
    model = build(save_teacher())
    losses = model(**batch(boxes=0), mode='loss')
    assert all(bool(value.isfinite()) for value in losses.values())
    assert losses['distill.dense.loss'] == 0
    model.parse_losses(losses)[0].backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_without_losses_the_teacher_does_not_run(save_teacher, batch) -> None:
    model = build(save_teacher(), losses={}, init_from_teacher=True)
    model.init_weights()
    losses = model(**batch(), mode='loss')
    assert not any(name.startswith('distill') for name in losses)
    assert model.teacher.detector.seen_dtype is None


def test_the_teacher_is_through_before_the_student_begins(save_teacher, batch) -> None:
    model = build(save_teacher())
    order: list[str] = []
    model.student.stem.register_forward_hook(lambda *_: order.append('student'))
    model.teacher.detector.stem.register_forward_hook(lambda *_: order.append('teacher'))
    model(**batch(), mode='loss')
    assert order == ['teacher', 'student']


def test_losses_run_in_float32_under_autocast(save_teacher, batch) -> None:
    model = build(save_teacher()).eval()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = model(**batch(), mode='loss')
    assert model.student.autocast_on
    assert model.teacher.detector.autocast_on is False
    assert losses['distill.dense.loss'].dtype is torch.float32
