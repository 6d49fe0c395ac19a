"""The common part of the query heads, with a decoder that answers what a test says."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmdet3d.structures import Det3DDataSample
from torch import Tensor, nn

from bevdistill.detection import CODE_WEIGHTS, DecoderOutputs, QueryHead, SetLoss, make_cls_branch, make_reg_branch
from bevdistill.detection.branches import to_codes
from bevdistill.structures import BEVGrid, BEVOutputs, Targets

GRID = dict(point_cloud_range=(-8, -6, -5, 8, 6, 3), rows=6, cols=10)
CODER = dict(type='NMSFreeCoder', post_center_range=(-10, -10, -10, 10, 10, 10), max_num=4)


class Head(QueryHead):
    """Two layers over made-up states."""

    def __init__(self, aux_heatmap: dict[str, Any] | None = None, **arguments: Any) -> None:
        super().__init__(**dict(dict(grid=GRID, coder=CODER, num_classes=3), **arguments))
        self.add_branches([make_cls_branch(8, 3) for _ in range(2)], [make_reg_branch(8) for _ in range(2)])
        self.query_embedding = nn.Embedding(5, 16)
        self.build_aux_heatmap(4, 3, aux_heatmap)

    def forward(self, bev_BCHW: Tensor, decoded: DecoderOutputs) -> BEVOutputs:
        return self.outputs(bev_BCHW, decoded, self.run_aux_heatmap(bev_BCHW))


def decoded(batch: int = 2) -> DecoderOutputs:
    return DecoderOutputs(
        states=torch.randn(2, batch, 5, 8), references=torch.rand(2, batch, 5, 3), raw=torch.randn(2, batch, 5, 10)
    )


def targets(*counts: int) -> Targets:
    boxes = torch.tensor([1.0, 2.0, -1.0, 4.0, 2.0, 1.5, 0.3, 0.1, 0.2])
    labels = tuple(torch.arange(count) % 3 for count in counts)
    return Targets(tuple(boxes.repeat(count, 1) for count in counts), labels)


@pytest.mark.parametrize('batch', [1, 2])
def test_each_layer_has_its_own_branch(batch: int) -> None:
    head, given, bev = Head(), decoded(batch), torch.randn(batch, 4, 6, 10)
    outputs = head(bev, given)
    assert outputs.bev is bev and outputs.heatmap is None and outputs.heatmap_features is None
    for layer in range(2):
        for sample in range(batch):
            want = head.cls_branches[layer](given.states[layer, sample])
            torch.testing.assert_close(outputs.logits[layer, sample], want)
    grid = BEVGrid.from_config(**GRID)
    torch.testing.assert_close(outputs.codes, to_codes(given.raw, given.references, grid))
    assert outputs.states is given.states and outputs.references is given.references
    assert head.grid == grid and head.num_classes == 3


def test_losses_are_the_set_loss_and_with_a_heatmap_its_own() -> None:
    truth, given, bev = targets(2, 0), decoded(), torch.randn(2, 4, 6, 10)
    head = Head(aux_heatmap=dict(num_convs=2))
    outputs = head(bev, given)
    losses = head.loss(outputs, truth)
    want = SetLoss()(outputs, truth, CODE_WEIGHTS)
    assert set(losses) == {*want, 'loss_heatmap'}
    for name, value in want.items():
        torch.testing.assert_close(losses[name], value)
    torch.testing.assert_close(losses['loss_heatmap'], head.loss_heatmap(outputs.heatmap, truth, outputs.grid))
    assert set(Head().loss(Head()(bev, given), truth)) == set(want)


def test_code_weights_reach_the_box_loss() -> None:
    truth, given, bev = targets(1, 1), decoded(), torch.randn(2, 4, 6, 10)
    plain, blind = Head(), Head(code_weights=[0.0] * 10)
    blind.load_state_dict({**plain.state_dict(), 'code_weights': torch.zeros(10)})
    losses = [head.loss(head(bev, given), truth) for head in (plain, blind)]
    assert float(losses[0]['loss_bbox']) > 0 and float(losses[1]['loss_bbox']) == 0
    torch.testing.assert_close(losses[0]['loss_cls'], losses[1]['loss_cls'])


def test_other_losses_come_from_the_config() -> None:
    truth, given, bev = targets(1, 1), decoded(), torch.randn(2, 4, 6, 10)
    box = dict(type='mmdet.L1Loss', loss_weight=0.5)
    heavy = Head(loss=dict(type='SetLoss', loss_bbox=box), loss_heatmap=dict(type='HeatmapLoss', loss_weight=3.0))
    light = Head()
    heavy.load_state_dict(light.state_dict())
    ratio = heavy.loss(heavy(bev, given), truth)['loss_bbox'] / light.loss(light(bev, given), truth)['loss_bbox']
    assert float(ratio) == pytest.approx(2.0)
    logits = torch.randn(2, 3, 6, 10)
    ratio = heavy.loss_heatmap(logits, truth, heavy.grid) / light.loss_heatmap(logits, truth, light.grid)
    assert float(ratio) == pytest.approx(3.0)


def test_predictions_are_the_last_layers() -> None:
    head, given = Head(), decoded()
    outputs = head(torch.randn(2, 4, 6, 10), given)
    instances = head.predict(outputs, [Det3DDataSample() for _ in range(2)])
    for sample, found in enumerate(instances):
        best = outputs.logits[-1, sample].sigmoid().flatten().topk(4).values
        assert set(found.scores_3d.tolist()) <= set(best.tolist())
        assert found.bboxes_3d.tensor.shape[1] == 9


def test_every_class_starts_with_one_percent() -> None:
    head = Head()
    head.init_weights()
    for branch in head.cls_branches:
        torch.testing.assert_close(branch[-1].bias.sigmoid(), torch.full((3,), 0.01))


@pytest.mark.parametrize('saved', [True, False])
def test_names_in_the_checkpoint(saved: bool) -> None:
    names = list(Head(save_code_weights=saved).state_dict())
    assert ('code_weights' in names) == saved
    heads = list(dict.fromkeys(name.split('.')[0] for name in names if name != 'code_weights'))
    assert heads == ['cls_branches', 'reg_branches', 'query_embedding']
    assert not [name for name in names if name.startswith(('loss', 'coder'))]


def test_messages() -> None:
    with pytest.raises(ValueError, match=r'code_weights must be 10 numbers, got \[1.0, 1.0\]'):
        Head(code_weights=[1.0, 1.0])
    with pytest.raises(ValueError, match='min < max'):
        Head(grid=dict(point_cloud_range=(0, 0, 0, -1, 1, 1), rows=2, cols=2))
