"""Auxiliary heatmap: layers of the release, loss against ground truth."""

from __future__ import annotations

import math

import pytest
import torch
from mmengine.model import BaseModule

from bevdistill.detection.gaussian import heatmap_targets
from bevdistill.detection.heatmap import AuxHeatmapMixin, HeatmapLoss
from bevdistill.structures import BEVGrid, Targets

GRID = BEVGrid((-8.0, -6.0, -3.0, 8.0, 6.0, 3.0), 9, 16)


class Owner(AuxHeatmapMixin, BaseModule):
    def __init__(self, cfg: dict | None, in_channels: int = 8, num_classes: int = 10) -> None:
        super().__init__()
        self.build_aux_heatmap(in_channels, num_classes, cfg)


def test_names_and_shapes_are_those_of_the_release() -> None:
    owner = Owner(dict(share_channels=256), in_channels=256)
    shapes = {name: tuple(value.shape) for name, value in owner.state_dict().items() if 'bn' not in name}
    assert shapes == {
        'shared_conv.conv.weight': (256, 256, 3, 3),
        'task_heads.0.heatmap.0.conv.weight': (64, 256, 3, 3),
        'task_heads.0.heatmap.1.conv.weight': (64, 64, 3, 3),
        'task_heads.0.heatmap.2.weight': (10, 64, 3, 3),
        'task_heads.0.heatmap.2.bias': (10,),
    }
    assert len(owner.state_dict()) == 20


def test_output_of_batch_two_on_an_oblong_map() -> None:
    heatmap, features = Owner(dict(share_channels=6, head_channels=5, num_convs=2)).run_aux_heatmap(
        torch.randn(2, 8, 5, 9)
    )
    assert heatmap is not None and heatmap.shape == (2, 10, 5, 9)
    assert features is not None and features.shape == (2, 6, 5, 9)


def test_no_heatmap_has_no_parameters() -> None:
    owner = Owner(None)
    assert owner.run_aux_heatmap(torch.randn(2, 8, 5, 9)) == (None, None)
    assert not owner.state_dict() and not owner.detach_heatmap_input


@pytest.mark.parametrize('detach', [True, False])
def test_gradient_reaches_the_map_unless_detached(detach: bool) -> None:
    owner = Owner(dict(detach_input=detach))
    bev = torch.randn(2, 8, 5, 9, requires_grad=True)
    heatmap, _ = owner.run_aux_heatmap(bev)
    assert heatmap is not None
    heatmap.sum().backward()
    assert (bev.grad is None) == detach
    assert owner.shared_conv is not None
    assert all(parameter.grad is not None for parameter in owner.shared_conv.parameters())


@pytest.mark.parametrize('initialise', [True, False])
def test_every_cell_starts_near_the_prior_with_and_without_init_weights(initialise: bool) -> None:
    owner = Owner(dict(share_channels=32), in_channels=32)
    if initialise:
        owner.init_weights()
    torch.testing.assert_close(owner.task_heads[0].heatmap[-1].bias, torch.full((10,), -2.19))
    heatmap, _ = owner.run_aux_heatmap(torch.randn(4, 32, 16, 16).relu())
    assert heatmap is not None
    torch.testing.assert_close(heatmap.sigmoid().mean(), torch.tensor(0.1), atol=0.03, rtol=0)
    assert heatmap.std() < 1


def test_too_few_convolutions_are_refused() -> None:
    with pytest.raises(ValueError, match='num_convs >= 2, got 1'):
        Owner(dict(num_convs=1))


def test_forward_of_the_original(golden) -> None:  # type: ignore[no-untyped-def]
    meta, arrays = golden('distill_aux_heatmap')
    config = meta['config']
    owner = Owner(
        dict(share_channels=config['share_conv_channel'], num_convs=config['num_heatmap_convs']),
        in_channels=config['in_channels'],
    ).eval()
    owner.load_state_dict({key[2:]: torch.from_numpy(value) for key, value in arrays.items() if key.startswith('w.')})
    heatmap, features = owner.run_aux_heatmap(torch.from_numpy(arrays['in.bev_feat']))
    torch.testing.assert_close(heatmap, torch.from_numpy(arrays['out.heatmap_logits_0']), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(features, torch.from_numpy(arrays['out.shared_feat']), atol=1e-5, rtol=1e-4)


def make_targets() -> Targets:
    boxes = torch.tensor(
        [
            [1.0, 2.0, 0.0, 4.0, 2.0, 1.5, 0.3, 0.0, 0.0],
            [-5.0, -3.0, 0.0, 0.8, 0.7, 1.5, 0.0, 0.0, 0.0],
            [1.1, 2.1, 0.0, 4.0, 2.0, 1.5, 0.3, 0.0, 0.0],
        ]
    )
    return Targets((boxes, torch.zeros(0, 9)), (torch.tensor([0, 2, 0]), torch.zeros(0).long()))


def loop_loss(logits: torch.Tensor, target: torch.Tensor) -> float:
    total, peaks = 0.0, 0
    for x, t in zip(logits.flatten().tolist(), target.flatten().tolist(), strict=True):
        p = min(max(1 / (1 + math.exp(-x)), 1e-4), 1 - 1e-4)
        if t == 1:
            peaks += 1
            total -= (1 - p) ** 2 * math.log(p)
        else:
            total -= (1 - t) ** 4 * p**2 * math.log(1 - p)
    return total / max(peaks, 1)


def test_matches_a_loop_over_cells_and_leaves_the_logits() -> None:
    logits = torch.randn(2, 3, GRID.rows, GRID.cols) * 3
    logits[:, :, ::2, ::4] *= 30  # Beyond both ends of the clamp.
    target = heatmap_targets(make_targets(), GRID, 3)
    logits[tuple(target.eq(1).nonzero()[0])] = -30.0
    before = logits.clone()
    loss = HeatmapLoss(loss_weight=0.5)(logits, make_targets(), GRID)
    torch.testing.assert_close(logits, before)
    # Two boxes of one class share a cell: two peaks for three boxes.
    assert target.eq(1).sum() == 2
    torch.testing.assert_close(loss, torch.tensor(0.5 * loop_loss(logits, target)), rtol=3e-5, atol=0)


def test_a_sample_of_weight_two_counts_as_two() -> None:
    logits, targets, places = torch.randn(2, 3, GRID.rows, GRID.cols), make_targets(), [0, 0, 1]
    repeated = Targets(tuple(targets.boxes[i] for i in places), tuple(targets.labels[i] for i in places))
    weighted = Targets(targets.boxes, targets.labels, (2.0, 1.0))
    loss = HeatmapLoss()
    torch.testing.assert_close(loss(logits, weighted, GRID), loss(logits[places], repeated, GRID))
    alone = loss(logits[:1], Targets(targets.boxes[:1], targets.labels[:1]), GRID)
    torch.testing.assert_close(loss(logits, Targets(targets.boxes, targets.labels, (1.0, 0.0)), GRID), alone)


def test_no_ground_truth_is_finite_and_pushes_down() -> None:
    empty = Targets((torch.zeros(0, 9),), (torch.zeros(0).long(),))
    logits = torch.zeros(1, 3, GRID.rows, GRID.cols, requires_grad=True)
    loss = HeatmapLoss()(logits, empty, GRID)
    loss.backward()
    # Half in each cell: 0.5^2 times log 2, over one peak where there is none.
    torch.testing.assert_close(loss.detach(), torch.tensor(3 * GRID.num_cells * 0.25 * math.log(2)))
    assert logits.grad is not None and (logits.grad > 0).all()


def test_half_precision_logits_give_a_float_loss() -> None:
    logits = torch.randn(2, 3, GRID.rows, GRID.cols)
    loss = HeatmapLoss()(logits.bfloat16(), make_targets(), GRID)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, HeatmapLoss()(logits.bfloat16().float(), make_targets(), GRID))


def test_loss_and_gradient_of_the_original(golden) -> None:  # type: ignore[no-untyped-def]
    meta, arrays = golden('distill_aux_heatmap')
    config = meta['config']

    owner = Owner(dict(share_channels=config['share_conv_channel'], num_convs=3), config['in_channels'])
    owner.load_state_dict({key[2:]: torch.from_numpy(value) for key, value in arrays.items() if key.startswith('w.')})
    owner.eval()
    grid = BEVGrid((-51.2, -51.2, -5.0, 51.2, 51.2, 3.0), 32, 32)
    targets = Targets(
        tuple(torch.from_numpy(arrays[f'in.gt_boxes_{i}']) for i in range(2)),
        tuple(torch.from_numpy(arrays[f'in.gt_labels_{i}']) for i in range(2)),
    )
    bev = torch.from_numpy(arrays['in.bev_feat']).requires_grad_()
    heatmap, _ = owner.run_aux_heatmap(bev)
    assert heatmap is not None
    loss = HeatmapLoss()(heatmap, targets, grid)
    loss.backward()
    torch.testing.assert_close(loss.detach(), torch.from_numpy(arrays['out.task0.loss_heatmap']), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(bev.grad, torch.from_numpy(arrays['out.grad_bev']), atol=1e-5, rtol=1e-4)
