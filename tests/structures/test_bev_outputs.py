from __future__ import annotations

import math

import pytest
import torch

from bevdistill.structures import BEVGrid, BEVOutputs

GRID = BEVGrid((-4.0, -6.0, -5.0, 4.0, 6.0, 3.0), rows=6, cols=4)


def fields(**changes):
    base = dict(
        grid=GRID,
        bev=torch.zeros(2, 8, 6, 4),
        states=torch.zeros(3, 2, 5, 8),
        logits=torch.zeros(3, 2, 5, 10),
        codes=torch.zeros(3, 2, 5, 10),
        references=torch.zeros(3, 2, 5, 3),
    )
    return base | changes


def test_offers_what_is_there():
    outputs = BEVOutputs(**fields())
    assert outputs.taps() == ('bev', 'states', 'logits', 'codes', 'references')
    assert (outputs.batch_size, outputs.num_classes) == (2, 10)
    assert outputs.boxes.shape == (2, 5, 9)
    full = BEVOutputs(**fields(heatmap=torch.zeros(2, 10, 6, 4), heatmap_features=torch.zeros(2, 16, 6, 4)))
    assert full.taps()[-2:] == ('heatmap', 'heatmap_features')


@pytest.mark.parametrize(
    ('name', 'shape'),
    [
        ('bev', (2, 8, 4, 6)),
        ('states', (3, 1, 5, 8)),
        ('logits', (3, 5, 10)),
        ('codes', (3, 2, 5, 9)),
        ('references', (2, 2, 5, 3)),
        ('heatmap', (2, 9, 6, 4)),
        ('heatmap_features', (2, 16, 3, 4)),
    ],
)
def test_a_wrong_shape_names_its_field(name, shape):
    with pytest.raises(ValueError, match=f'BEVOutputs.{name} must be'):
        BEVOutputs(**fields(**{name: torch.zeros(shape)}))


def test_a_detector_without_queries_is_described_too() -> None:
    empty = dict(
        states=torch.zeros(1, 2, 0, 1), logits=torch.zeros(1, 2, 0, 10), codes=torch.zeros(1, 2, 0, 10),
        references=torch.zeros(1, 2, 0, 2),
    )
    outputs = BEVOutputs(**fields(**empty))
    assert outputs.boxes.shape == (2, 0, 9)
    assert (outputs.batch_size, outputs.num_classes) == (2, 10)


def test_boxes_are_those_of_the_last_layer() -> None:
    codes = torch.zeros(3, 2, 5, 10)
    codes[-1, 1, 4] = torch.tensor([1.0, 2.0, 0.0, 0.0, 3.0, 0.0, 1.0, 0.0, 0.5, -0.5])
    boxes = BEVOutputs(**fields(codes=codes)).boxes
    want = torch.tensor([1.0, 2.0, 3.0, 1.0, 1.0, 1.0, math.pi / 2, 0.5, -0.5])
    torch.testing.assert_close(boxes[1, 4], want)


def test_message_names_what_was_expected_and_found() -> None:
    with pytest.raises(ValueError, match=r'BEVOutputs.states must be \(3, 2, 5, \*\), got \(3, 2, 6, 8\)'):
        BEVOutputs(**fields(states=torch.zeros(3, 2, 6, 8)))
    with pytest.raises(ValueError, match=r'BEVOutputs.bev must be \(2, \*, 6, 4\), got \(2, 8, 6\)'):
        BEVOutputs(**fields(bev=torch.zeros(2, 8, 6)))


def test_channels_of_the_taps_are_free() -> None:
    outputs = BEVOutputs(**fields(bev=torch.zeros(2, 1, 6, 4), states=torch.zeros(3, 2, 5, 7)))
    assert (outputs.bev.shape[1], outputs.states.shape[-1]) == (1, 7)
    assert BEVOutputs(**fields(references=torch.zeros(3, 2, 5, 2))).references.shape[-1] == 2
