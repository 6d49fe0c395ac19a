"""Set loss and matching against recorded outputs of the original head."""

from __future__ import annotations

import pytest
import torch

from bevdistill.detection import SetLoss
from bevdistill.structures import BEVGrid, BEVOutputs, Targets

GRID = BEVGrid((-51.2, -51.2, -5.0, 51.2, 51.2, 3.0), 2, 2)


@pytest.mark.parametrize('variant', ['main', 'nan_velocity', 'one_empty', 'all_empty'])
def test_matches_original(golden, old_convention, variant):
    _, data = golden('head_loss')
    arrays = {name: torch.from_numpy(value) for name, value in data.items() if f'.{variant}.' in name}
    logits = arrays[f'in.{variant}.all_cls_scores'].requires_grad_()
    old_codes = arrays[f'in.{variant}.all_bbox_preds'].requires_grad_()
    outputs = BEVOutputs(
        grid=GRID,
        bev=torch.zeros(2, 1, 2, 2),
        states=torch.zeros(2, 2, 20, 1),
        logits=logits,
        codes=old_convention.codes(old_codes),
        references=torch.zeros(2, 2, 20, 3),
    )
    targets = Targets(
        tuple(old_convention.boxes(arrays[f'in.{variant}.gt_boxes_gravity_{sample}']) for sample in range(2)),
        tuple(arrays[f'in.{variant}.gt_labels_{sample}'] for sample in range(2)),
    )
    loss = SetLoss()
    assigned = loss.matcher.match(outputs.logits, outputs.codes, targets)
    for layer in range(2):
        for sample in range(2):
            assert torch.equal(assigned[layer, sample], arrays[f'out.{variant}.assigned_gt_{layer}_{sample}'])
    losses = loss(outputs, targets)
    assert list(losses) == ['d0.loss_cls', 'd0.loss_bbox', 'loss_cls', 'loss_bbox']
    for name, value in losses.items():
        torch.testing.assert_close(value, arrays[f'out.{variant}.{name}'].reshape(()), atol=1e-5, rtol=1e-5)
    grads = torch.autograd.grad(sum(losses.values()), (logits, old_codes), allow_unused=True)
    torch.testing.assert_close(grads[0], arrays[f'out.{variant}.grad_cls'], atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(grads[1], arrays[f'out.{variant}.grad_box'], atol=1e-6, rtol=1e-4)
