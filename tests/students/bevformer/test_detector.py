"""The detector: keys of the released model, training and testing on odd inputs, batches against single samples."""

from __future__ import annotations

import pytest
import torch
from mmdet3d.registry import MODELS
from student_configs import CODER, RANGE, small

from bevdistill.detection import heatmap_targets
from bevdistill.structures import BEVOutputs, Targets


def released(tiny: bool) -> dict:
    """`bevformer_tiny`, or the R50 student of the distillation release."""
    size, layers, levels = (50, 3, 1) if tiny else (128, 6, 4)
    deformable = dict(type='DCNv2', deform_groups=1, fallback_on_stride=False)
    return dict(
        type='BEVFormer',
        img_backbone=dict(
            type='mmdet.ResNet',
            depth=50,
            num_stages=4,
            out_indices=(3,) if tiny else (1, 2, 3),
            frozen_stages=1,
            norm_cfg=dict(type='BN', requires_grad=False),
            norm_eval=True,
            style='pytorch',
            **({} if tiny else dict(dcn=deformable, stage_with_dcn=(False, False, True, True))),
        ),
        img_neck=dict(
            type='mmdet.FPN',
            in_channels=[2048] if tiny else [512, 1024, 2048],
            out_channels=256,
            start_level=0,
            add_extra_convs='on_output',
            num_outs=levels,
            relu_before_extra_convs=True,
        ),
        pts_bbox_head=dict(
            type='BEVFormerHead',
            grid=dict(point_cloud_range=RANGE, rows=size, cols=size),
            encoder=dict(num_layers=layers, num_levels=levels, feedforward_channels=512),
            decoder=dict(num_layers=6, feedforward_channels=512),
            coder=CODER,
            aux_heatmap=None if tiny else dict(),
        ),
    )


@pytest.mark.parametrize(('case', 'tiny'), [('keys_bevformer_tiny', True), ('keys_bevdistill_r50_student', False)])
def test_released_keys(golden, case, tiny):
    meta, _ = golden(case)
    with torch.device('meta'):
        model = MODELS.build(released(tiny))
    assert {name: list(value.shape) for name, value in model.state_dict().items()} == meta['keys']


def test_a_prediction_runs_the_auxiliary_heatmap_only_for_a_listener(make_batch):
    model = MODELS.build(small()).eval()
    inputs, samples = make_batch([2, 1])
    with torch.no_grad():
        assert model.prediction_outputs(inputs, samples).heatmap is None
        heard = []
        model.outputs_listener = heard.append
        shown = model.predict(inputs, samples)
        (outputs,) = heard
        assert outputs.heatmap is not None
        model.outputs_listener = None
        plain = model.predict(inputs, samples)
        assert len(heard) == 1
    for ours, theirs in zip(shown, plain, strict=True):
        assert torch.equal(ours.pred_instances_3d.scores_3d, theirs.pred_instances_3d.scores_3d)


@pytest.mark.parametrize('boxes', [[4, 2], [3, 0], [0, 0], [1], [30, 30, 1]])
def test_trains_and_tests(make_batch, boxes):
    model = MODELS.build(small())
    model.init_weights()
    inputs, samples = make_batch(boxes)
    losses = model(inputs, samples, mode='loss')
    assert list(losses) == ['d0.loss_cls', 'd0.loss_bbox', 'loss_cls', 'loss_bbox', 'loss_heatmap']
    assert all(value.isfinite() for value in losses.values())
    if not sum(boxes):
        assert losses['loss_bbox'] == 0
    sum(losses.values()).backward()
    missing = [name for name, value in model.named_parameters() if value.grad is None]
    assert missing == []
    assert all(value.grad.isfinite().all() for value in model.parameters())
    model.eval()
    for sample in model(inputs, samples, mode='predict'):
        instances = sample.pred_instances_3d
        assert instances.bboxes_3d.tensor.shape[1] == 9
        assert len(instances) == len(instances.scores_3d) <= 110
    outputs = model(inputs, samples, mode='tensor')
    assert isinstance(outputs, BEVOutputs) and outputs.grid == model.grid and outputs.num_classes == model.num_classes


def test_batch_equals_single_samples(make_batch):
    """Outputs are those of each sample alone; each loss is the mean of the samples' sums over all positives."""
    model = MODELS.build(small()).eval()
    model.init_weights()
    for linear in [m for n, m in model.named_modules() if n.endswith(('sampling_offsets', 'attention_weights'))]:
        torch.nn.init.normal_(linear.weight, std=0.1)
    inputs, samples = make_batch([5, 3])
    with torch.no_grad():
        both = model.forward_outputs(inputs, samples)
        losses = model.loss_from_outputs(both, samples)
        parts = []
        for b in range(2):
            alone = model.forward_outputs(dict(imgs=inputs['imgs'][b : b + 1]), samples[b : b + 1])
            for name in ('states', 'logits', 'codes', 'references'):
                torch.testing.assert_close(
                    getattr(alone, name)[:, 0], getattr(both, name)[:, b], atol=1e-4, rtol=1e-4
                )
            torch.testing.assert_close(alone.bev[0], both.bev[b], atol=1e-4, rtol=1e-4)
            parts.append(model.loss_from_outputs(alone, samples[b : b + 1]))
    targets = [Targets.from_samples(samples[b : b + 1]) for b in range(2)]
    peaks = [int(heatmap_targets(target, model.grid, 10).eq(1).sum()) for target in targets]
    for name, value in losses.items():
        weights = peaks if name == 'loss_heatmap' else [5, 3]
        want = sum(weight * part[name] for weight, part in zip(weights, parts, strict=True)) / sum(weights)
        torch.testing.assert_close(value, want, atol=1e-4, rtol=1e-4)


def test_uses_the_last_frame_without_motion(make_batch):
    model = MODELS.build(small()).eval()
    inputs, samples = make_batch([1], queue=3)
    with torch.no_grad():
        three = model.forward_outputs(inputs, samples)
        state = samples[0].can_bus.copy()
        state[:, [0, 1, 2, 17]] += 5
        samples[0].set_metainfo(dict(can_bus=state[-1:], lidar2img=samples[0].lidar2img[-1:]))
        one = model.forward_outputs(dict(imgs=inputs['imgs'][:, -1:]), samples)
    torch.testing.assert_close(three.codes, one.codes)


def test_vehicle_state_and_images_matter(make_batch):
    model = MODELS.build(small()).eval()
    inputs, samples = make_batch([1])
    with torch.no_grad():
        before = model.forward_outputs(inputs, samples).bev
        changed = model.forward_outputs(dict(imgs=inputs['imgs'] + 1), samples).bev
        assert (changed - before).abs().max() > 1e-3
        samples[0].set_metainfo(dict(can_bus=samples[0].can_bus + 1))
        assert (model.forward_outputs(inputs, samples).bev - before).abs().max() > 1e-3


def test_order_of_channels_in_memory_changes_rounding_alone(make_batch):
    model = MODELS.build(small()).eval()
    model.init_weights()
    inputs, samples = make_batch([2, 1])
    seen = []
    model.img_backbone.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    found = []
    for model.channels_last in (True, False):
        model.zero_grad()
        losses = model.loss_from_outputs(model.forward_outputs(inputs, samples), samples)
        sum(losses.values()).backward()
        weight = next(value for value in model.img_backbone.parameters() if value.grad is not None)
        found.append({**{name: value.detach() for name, value in losses.items()}, 'gradient': weight.grad})
    assert [images.is_contiguous(memory_format=torch.channels_last) for images in seen] == [True, False]
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-5)


def test_mixed_precision(make_batch):
    model = MODELS.build(small())
    model.init_weights()
    inputs, samples = make_batch([2, 1])
    with torch.autocast('cpu', dtype=torch.bfloat16):
        outputs = model.forward_outputs(inputs, samples)
        losses = model.loss_from_outputs(outputs, samples)
    assert outputs.codes.dtype == torch.float32 and outputs.references.dtype == torch.float32
    sum(losses.values()).backward()
    assert all(value.dtype == torch.float32 and value.isfinite() for value in losses.values())


def test_messages(make_batch):
    with pytest.raises(ValueError, match='must be at least 1, got 0'):
        MODELS.build({**small(), 'queue_length': 0})
    model = MODELS.build(small())
    inputs, samples = make_batch([1])
    with pytest.raises(ValueError, match=r'shape \(B, T, N, 3, H, W\), got shape \(1, 3, 3, 48, 80\)'):
        model.forward_outputs(dict(imgs=inputs['imgs'][:, 0]), samples)
    with pytest.raises(ValueError, match='got none'):
        model.forward_outputs({}, samples)
    samples[0].set_metainfo(dict(can_bus=samples[0].can_bus[:, :17]))
    with pytest.raises(ValueError, match=r"sample token0: 'can_bus' must be .*18.*got \(1, 17\)"):
        model.forward_outputs(inputs, samples)
    del samples[0].can_bus
    with pytest.raises(KeyError, match="sample token0 has no 'can_bus'"):
        model.forward_outputs(inputs, samples)
