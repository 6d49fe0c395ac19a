from __future__ import annotations

from typing import Any

import pytest
import torch
from mmdet3d.structures import LiDARInstance3DBoxes
from mmengine.structures import InstanceData

from bevdistill.structures import BEVGrid, BEVOutputs
from bevdistill.teachers import ObjectDGCNN

from .batches import build, make_batch, make_points, make_sample
from .model_configs import cpu_demo, cpu_pillar02, pillar02


def tiny() -> dict[str, Any]:
    """The CPU config on an oblong range, with two levels, an encoder and graph attention."""
    config = cpu_demo()
    point_range = [-12.8, -6.4, -5.0, 12.8, 6.4, 3.0]
    config['data_preprocessor']['voxel_layer']['point_cloud_range'] = point_range
    config['pts_voxel_encoder']['point_cloud_range'] = point_range
    config['pts_middle_encoder']['output_shape'] = [32, 64]
    config['pts_neck'].update(num_outs=2)
    config['pts_bbox_head'].update(
        grid=dict(point_cloud_range=point_range, rows=8, cols=16),
        num_queries=20,
        num_levels=2,
        reference_dims=2,
        encoder=dict(num_layers=1, num_heads=4, feedforward_channels=64, dropout=0.0),
        decoder=dict(
            num_layers=2,
            num_heads=4,
            feedforward_channels=64,
            dropout=0.0,
            self_attention=dict(type='DGCNNAttention', num_neighbours=4, dropout=0.0),
        ),
    )
    return config


@pytest.fixture(scope='module')
def detector() -> ObjectDGCNN:
    torch.manual_seed(0)
    return build(tiny())


@pytest.mark.parametrize('make_config', [cpu_demo, cpu_pillar02, tiny])
def test_forward_loss_and_predict_of_batch_two_with_an_empty_sample(make_config: Any) -> None:
    model = build(make_config())
    inputs, samples = make_batch(model, (400, 300), (5, 0))
    losses = model(inputs, samples, mode='loss')
    heatmap = set() if make_config is cpu_pillar02 else {'loss_heatmap'}
    assert {'loss_cls', 'loss_bbox', 'd0.loss_cls', 'd0.loss_bbox'} | heatmap == set(losses)
    sum(losses.values()).backward()
    assert not [name for name, parameter in model.named_parameters() if parameter.grad is None]
    model.eval()
    with torch.no_grad():
        results = model(inputs, samples, mode='predict')
    for result in results:
        assert result.pred_instances_3d.bboxes_3d.tensor.shape[1] == 9
        assert len(result.pred_instances_3d.scores_3d) == len(result.pred_instances_3d.labels_3d)
        assert 'pred_instances' in result


def test_no_ground_truth_in_the_whole_batch(detector: ObjectDGCNN) -> None:
    losses = detector.loss(*make_batch(detector, (300, 300), (0, 0)))
    assert all(torch.isfinite(value).all() for value in losses.values())


def test_loss_and_predict_are_made_from_outputs(detector: ObjectDGCNN) -> None:
    detector.eval()
    inputs, samples = make_batch(detector, (300, 200), (3, 2))
    outputs = detector.forward_outputs(inputs, samples)
    assert isinstance(outputs, BEVOutputs)
    assert outputs.grid == detector.grid == BEVGrid((-12.8, -6.4, -5.0, 12.8, 6.4, 3.0), 8, 16)
    assert outputs.bev.shape == (2, 64, 8, 16) and (outputs.bev >= 0).all()
    assert detector.num_classes == outputs.num_classes == 10
    for name, value in detector.loss(inputs, samples).items():
        torch.testing.assert_close(value, detector.loss_from_outputs(outputs, samples)[name])
    tensor_mode = detector(inputs, samples, mode='tensor')
    torch.testing.assert_close(tensor_mode.codes, outputs.codes)
    first = detector.predict(inputs, samples)[0].pred_instances_3d.scores_3d.clone()
    second = detector.predict_from_outputs(outputs, samples)[0].pred_instances_3d.scores_3d
    torch.testing.assert_close(first, second)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('counts', [(200, 0), (0, 200), (0, 0), (1, 0)])
def test_samples_without_a_point(detector: ObjectDGCNN, counts: tuple[int, int], training: bool) -> None:
    detector.train(training)
    detector.zero_grad()
    inputs, samples = make_batch(detector, counts, (2, 1))
    outputs = detector.forward_outputs(inputs, samples)
    assert outputs.batch_size == 2
    sum(detector.loss_from_outputs(outputs, samples).values()).backward()
    assert not [name for name, parameter in detector.named_parameters() if parameter.grad is None]
    assert all(torch.isfinite(p.grad).all() for p in detector.parameters() if p.grad is not None)


def test_samples_of_a_batch_do_not_mix(detector: ObjectDGCNN) -> None:
    detector.eval()
    inputs, samples = make_batch(detector, (300, 200), (3, 2))
    both = detector.forward_outputs(inputs, samples)
    data = detector.data_preprocessor(dict(inputs=dict(points=inputs['points'][1:]), data_samples=samples[1:]))
    alone = detector.forward_outputs(data['inputs'], samples[1:])
    torch.testing.assert_close(both.bev[1:], alone.bev, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(both.codes[:, 1:], alone.codes, atol=1e-4, rtol=1e-4)


def test_a_point_off_centre_lands_in_its_cell_of_the_bev_map(detector: ObjectDGCNN) -> None:
    detector.eval()
    point = torch.tensor([[10.1, -5.1, 0.0, 0.5, 0.0]]).repeat(4, 1)
    data = detector.data_preprocessor(dict(inputs=dict(points=[point]), data_samples=[make_sample(0)]))
    canvas = detector.encode_points(data['inputs'])
    hit = canvas.abs().sum(dim=1)[0].nonzero().tolist()
    col, row = detector.grid.with_size(32, 64).to_cells(point[0, :2]).floor().long().tolist()
    assert hit == [[row, col]]


def test_missing_and_dynamic_voxels_are_refused(detector: ObjectDGCNN) -> None:
    points = [make_points(10)]
    with pytest.raises(ValueError, match=r'reads hard voxels.*got None.*voxel=True'):
        detector.forward_outputs(dict(points=points))
    with pytest.raises(ValueError, match=r"got \['coors', 'voxels'\].*voxel_type='hard'"):
        detector.forward_outputs(dict(points=points, voxels=dict(voxels=points[0], coors=torch.zeros(10, 4))))


def test_a_grid_that_is_not_that_of_the_neck_is_refused() -> None:
    config = tiny()
    config['pts_bbox_head']['grid'].update(rows=16)
    model = build(config)
    with pytest.raises(ValueError, match=r'BEVOutputs.bev must be \(2, \*, 16, 16\)'):
        model.forward_outputs(*make_batch(model, (50, 50), (1, 1)))


def test_published_pillar_config_has_the_published_maps() -> None:
    model = build(pillar02()).eval()
    assert model.grid.cell_size == pytest.approx((0.4, 0.4))
    with torch.no_grad():
        levels = model.pts_neck(model.pts_backbone(torch.zeros(1, 64, 64, 64)))
    assert [tuple(level.shape[1:]) for level in levels] == [(256, 32, 32), (256, 16, 16), (256, 8, 8), (256, 4, 4)]
    names = model.state_dict()
    assert names['pts_bbox_head.transformer.decoder.layers.5.attentions.0.conv2.0.weight'].shape == (256, 512, 1, 1)
    assert names['pts_bbox_head.transformer.level_embeds'].shape == (4, 256)


def test_a_few_steps_learn_one_batch() -> None:
    model = build(cpu_demo())
    boxes = torch.tensor(
        [[6.0, 4.0, -1.0, 4.0, 2.0, 1.5, 0.3, 0.0, 0.0], [-8.0, 2.0, -1.0, 4.0, 2.0, 1.5, 1.2, 0.0, 0.0]]
    )
    samples, points = [], []
    for shift in (0.0, 3.0):
        moved = boxes + torch.tensor([shift] * 2 + [0.0] * 7)
        sample = make_sample(0)
        sample.gt_instances_3d = InstanceData(
            bboxes_3d=LiDARInstance3DBoxes(moved, box_dim=9), labels_3d=torch.tensor([0, 1])
        )
        samples.append(sample)
        cloud = moved[:, None, :3] + torch.rand(2, 60, 3) * 1.5
        points.append(torch.cat((cloud.flatten(0, 1), torch.zeros(120, 2)), dim=1))
    data = model.data_preprocessor(dict(inputs=dict(points=points), data_samples=samples), training=True)
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3)
    curve = []
    for _ in range(7):
        loss = sum(model.loss(data['inputs'], data['data_samples']).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        curve.append(float(loss.detach()))
    assert curve[-1] < 0.7 * curve[0], curve
