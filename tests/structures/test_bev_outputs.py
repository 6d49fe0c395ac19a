from __future__ import annotations

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
