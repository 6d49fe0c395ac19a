"""History from the training queue: against a loop over single samples, without gradient, modes untouched."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from mmdet3d.registry import MODELS
from sequences import Key, queue_batch, temporal_student
from student_configs import small
from torch import Tensor, nn

from bevdistill.students import BEVFormer
from bevdistill.students.bevformer import FrameGeometry

WHOLE: list[Key] = [('a', 0), ('a', 1), ('a', 2)]
"""No break."""
EARLY: list[Key] = [('a', 7), ('b', 0), ('b', 2)]
"""A scene begins at the second frame."""
LATE: list[Key] = [('c', 3), ('c', 5), ('d', 0)]
"""A scene begins at the current frame."""
REPEATED: list[Key] = [('d', 4), ('d', 4), ('d', 4)]
"""The release's queue at the start of a scene."""


def by_hand(model: BEVFormer, queue: list[Key]) -> Tensor:
    """BEV features of one queue, frame by frame, history kept or dropped by the scenes' names."""
    inputs, samples = queue_batch([queue])
    bev = None
    for t in range(len(queue)):
        if t == 0 or queue[t][0] != queue[t - 1][0]:
            bev = None
        with torch.set_grad_enabled(t == len(queue) - 1):
            frames = FrameGeometry.from_samples(samples, index=t)
            bev = model.pts_bbox_head.encode(model.extract_feat(inputs['imgs'][:, t]), frames, bev)
    return bev


def gradients(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            yield name, parameter.grad


@pytest.mark.parametrize('queue', [WHOLE, EARLY, LATE, REPEATED])
@torch.no_grad()
def test_equals_a_loop(queue: list[Key]):
    model = temporal_student()
    bev = model.encode_queue(queue_batch([queue])[0]['imgs'], queue_batch([queue])[1])
    torch.testing.assert_close(bev, by_hand(model, queue))


def test_a_batch_with_breaks_at_different_places_equals_single_samples():
    """Outputs and gradients; the loss is a plain sum, so that the parts add up."""
    model = temporal_student().train()
    queues = [WHOLE, EARLY, LATE, REPEATED]

    def run(part: list[list[Key]]) -> tuple[Tensor, Tensor]:
        # The heatmap's batch norms tie the samples of a batch together.
        outputs = model.forward_outputs(*queue_batch(part), with_heatmap=False)
        loss = outputs.logits.square().sum() + outputs.codes.square().mean(dim=(0, 2, 3)).sum()
        (loss + outputs.bev.square().sum()).backward()
        return outputs.bev.detach(), outputs.codes.detach()

    bev, codes = run(queues)
    together = {name: gradient.clone() for name, gradient in gradients(model)}
    model.zero_grad()
    for place, queue in enumerate(queues):
        bev_alone, codes_alone = run([queue])
        torch.testing.assert_close(bev_alone[0], bev[place], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(codes_alone[:, 0], codes[:, place], atol=1e-4, rtol=1e-4)
    for name, gradient in gradients(model):
        scale = together[name].abs().max()
        torch.testing.assert_close(gradient, together[name], atol=float(1e-4 * scale), rtol=1e-3, msg=name)


def test_losses_of_a_batch_train_every_parameter():
    model = temporal_student().train()
    inputs, samples = queue_batch([WHOLE, LATE])
    losses = model(inputs, samples, mode='loss')
    sum(losses.values()).backward()
    assert all(value.isfinite() for value in losses.values())
    assert [name for name, value in model.named_parameters() if value.grad is None] == []


def test_history_matters_where_there_is_one_and_has_no_gradient():
    model = temporal_student().train()
    inputs, samples = queue_batch([WHOLE, EARLY, LATE])
    imgs = inputs['imgs'].requires_grad_()
    bev = model.encode_queue(imgs, samples)
    bev.square().sum().backward()
    assert imgs.grad[:, :-1].abs().max() == 0
    assert (imgs.grad[:, -1].flatten(1).abs().amax(dim=1) > 0).all()
    with torch.no_grad():
        for entry, moved in ((0, [True, False, False]), (1, [True, True, False])):
            other = imgs.detach().clone()
            other[:, entry] += 1
            change = (model.encode_queue(other, samples) - bev).flatten(1).abs().amax(dim=1)
            assert (change > 1e-3).tolist() == moved, entry


def partly_frozen() -> BEVFormer:
    """Batch norms that learn, dropout, and a neck that somebody keeps in eval mode."""
    config = small()
    config['pts_bbox_head']['encoder']['dropout'] = 0.5
    config['img_backbone']['norm_eval'] = False
    config['queue_length'] = 3
    model = MODELS.build(config)
    model.init_weights()
    model.train()
    model.img_neck.eval()
    return model


@pytest.mark.parametrize('fails', [False, True])
def test_every_module_keeps_its_mode(monkeypatch: pytest.MonkeyPatch, fails: bool):
    model = partly_frozen()
    modes = {name: module.training for name, module in model.named_modules()}
    encode = model.pts_bbox_head.encode
    seen = []

    def spy(*args: object) -> Tensor:
        seen.append((torch.is_grad_enabled(), {module.training for module in model.modules()}))
        if fails and len(seen) == 2:
            raise RuntimeError('out of memory')
        return encode(*args)

    monkeypatch.setattr(model.pts_bbox_head, 'encode', spy)
    if fails:
        with pytest.raises(RuntimeError, match='out of memory'):
            model.forward_outputs(*queue_batch([WHOLE]))
    else:
        model.forward_outputs(*queue_batch([WHOLE]))
        assert seen[2] == (True, {True, False})
    assert seen[:2] == [(False, {False})] * 2
    assert {name: module.training for name, module in model.named_modules()} == modes


def test_history_runs_as_in_testing(monkeypatch: pytest.MonkeyPatch):
    """No dropout and running statistics for the past, which only the current frame moves."""
    model = partly_frozen()
    norm = model.img_backbone.bn1
    statistics = norm.running_mean.clone()
    encode, got = model.pts_bbox_head.encode, []

    def spy(*args: object) -> Tensor:
        got.append(args[2] if len(args) > 2 else None)
        return encode(*args)

    monkeypatch.setattr(model.pts_bbox_head, 'encode', spy)
    inputs, samples = queue_batch([WHOLE])
    with torch.no_grad():
        model.forward_outputs(inputs, samples)
        assert int(norm.num_batches_tracked) == 1
        monkeypatch.undo()
        norm.running_mean.copy_(statistics)
        for part in model.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm):
                part.reset_running_stats()
        want = by_hand(model.eval(), WHOLE[:2])
    torch.testing.assert_close(got[2], want)


def test_the_backbone_sees_all_past_frames_at_once(monkeypatch: pytest.MonkeyPatch):
    model = temporal_student().train()
    shapes = []
    extract = model.extract_feat
    monkeypatch.setattr(model, 'extract_feat', lambda imgs: (shapes.append(tuple(imgs.shape[:2])), extract(imgs))[1])
    model.forward_outputs(*queue_batch([WHOLE, EARLY]))
    assert shapes == [(4, 3), (2, 3)]


def test_mixed_precision_keeps_the_gradients():
    """Weights that were cast for the past must not be taken for the current frame: they have no gradient."""
    model = temporal_student().train()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = model(*queue_batch([WHOLE, LATE]), mode='loss')
    sum(losses.values()).backward()
    assert [name for name, value in model.named_parameters() if value.grad is None] == []
    assert all(value.isfinite() for value in losses.values())


def test_a_model_without_history_ignores_what_a_longer_queue_holds():
    model = temporal_student(queue_length=1)
    inputs, samples = queue_batch([WHOLE])
    with torch.no_grad():
        three = model.forward_outputs(inputs, samples)
        one = model.forward_outputs(*queue_batch([WHOLE[-1:]]))
    torch.testing.assert_close(three.codes, one.codes)


def test_messages():
    model = temporal_student().train()
    with pytest.raises(ValueError, match=r'trains on queues of 3 frames, but the images .* have 2; set queue_length'):
        model.forward_outputs(*queue_batch([WHOLE[:2]]))
    with pytest.raises(ValueError, match='trains on queues of 1 frames'):
        temporal_student(queue_length=1).train().forward_outputs(*queue_batch([WHOLE]))
    inputs, samples = queue_batch([WHOLE])
    samples[0].set_metainfo(dict(lidar2img=samples[0].lidar2img[-1:]))
    with pytest.raises(ValueError, match="sample a2: the images hold a queue of 3 frames, 'lidar2img' one of 1"):
        model.forward_outputs(inputs, samples)
    inputs, samples = queue_batch([WHOLE])
    del samples[0].history_exists
    with pytest.raises(KeyError, match="sample a2 has no 'history_exists'"):
        model.forward_outputs(inputs, samples)
