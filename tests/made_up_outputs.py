"""Made-up outputs and targets: fixtures for tests of losses, imported by the conftests of their folders."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from bevdistill.structures import BEVGrid, BEVOutputs, Targets, encode_boxes

RANGE = (-8.0, -6.0, -5.0, 8.0, 6.0, 3.0)


def random_boxes(count: int, generator: torch.Generator) -> torch.Tensor:
    low = torch.tensor([-7.5, -5.5, -1.0, 1.5, 0.8, 1.0, -3.0, -2.0, -2.0])
    high = torch.tensor([7.5, 5.5, 1.0, 5.0, 2.5, 2.0, 3.0, 2.0, 2.0])
    return low + torch.rand(count, 9, generator=generator) * (high - low)


@pytest.fixture
def make_outputs() -> Callable[..., BEVOutputs]:
    """``make_outputs(batch=2, ..., grad=True)``: random outputs of a detector on a non-square grid."""

    def make(
        batch: int = 2,
        layers: int = 3,
        queries: int = 9,
        channels: int = 4,
        classes: int = 3,
        rows: int = 6,
        cols: int = 8,
        seed: int = 0,
        heatmap: bool = True,
        grad: bool = False,
        limits: tuple[float, ...] = RANGE,
    ) -> BEVOutputs:
        generator = torch.Generator().manual_seed(seed)

        def normal(*shape: int) -> torch.Tensor:
            return torch.randn(*shape, generator=generator).requires_grad_(grad)

        codes = encode_boxes(random_boxes(layers * batch * queries, generator).view(layers, batch, queries, 9))
        return BEVOutputs(
            grid=BEVGrid.from_config(limits, rows, cols),
            bev=normal(batch, channels, rows, cols),
            states=normal(layers, batch, queries, channels),
            logits=normal(layers, batch, queries, classes),
            codes=codes.requires_grad_(grad),
            references=torch.rand(layers, batch, queries, 3, generator=generator),
            heatmap=normal(batch, classes, rows, cols) if heatmap else None,
            heatmap_features=normal(batch, channels, rows, cols) if heatmap else None,
        )

    return make


@pytest.fixture
def make_targets() -> Callable[..., Targets]:
    """``make_targets(3, 2)``: a sample with three boxes and one with two."""

    def make(*counts: int, classes: int = 3, seed: int = 7) -> Targets:
        generator = torch.Generator().manual_seed(seed)
        boxes = tuple(random_boxes(count, generator) for count in counts)
        labels = tuple(torch.randint(classes, (count,), generator=generator) for count in counts)
        return Targets(boxes, labels)

    return make


@pytest.fixture
def single() -> Callable[[BEVOutputs, int], BEVOutputs]:
    """``single(outputs, b)``: sample b of a batch as a batch of one."""

    def pick(outputs: BEVOutputs, index: int) -> BEVOutputs:
        keep = slice(index, index + 1)
        return BEVOutputs(
            grid=outputs.grid,
            bev=outputs.bev[keep],
            states=outputs.states[:, keep],
            logits=outputs.logits[:, keep],
            codes=outputs.codes[:, keep],
            references=outputs.references[:, keep],
            heatmap=None if outputs.heatmap is None else outputs.heatmap[keep],
            heatmap_features=None if outputs.heatmap_features is None else outputs.heatmap_features[keep],
        )

    return pick


def only(targets: Targets, index: int) -> Targets:
    return Targets(targets.boxes[index : index + 1], targets.labels[index : index + 1])


@pytest.fixture
def sample_of() -> Callable[[Targets, int], Targets]:
    """``sample_of(targets, b)``: the targets of sample b as a batch of one."""
    return only
