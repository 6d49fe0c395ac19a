"""The memory of scenes, and passes that leave the modes of modules alone."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from mmdet3d.structures import Det3DDataSample
from torch import nn

from bevdistill.students.bevformer.history import BEVMemory, absolute_state, frozen_pass, state_since, time_steps


def frame(scene: str, index: int, x: float = 0.0, degrees: float = 0.0) -> Det3DDataSample:
    state = np.zeros(18)
    state[[0, 16, 17]] = x, np.radians(degrees), degrees
    return Det3DDataSample(
        metainfo=dict(token=f'{scene}{index}', scene_token=scene, frame_idx=index, can_bus_absolute=state)
    )


def bev(value: float) -> torch.Tensor:
    return torch.full((4, 2), value)


def test_a_frame_remembers_its_neighbour_only():
    memory = BEVMemory()
    memory.remember(frame('a', 3), bev(3.0))
    assert torch.equal(memory.recall(frame('a', 4)).bev, bev(3.0))
    for other in (frame('a', 5), frame('a', 3), frame('a', 2), frame('a', 0), frame('b', 4)):
        assert memory.recall(other) is None, other.metainfo


def test_asking_again_gives_the_same_answer():
    memory = BEVMemory()
    for index in range(3):
        memory.remember(frame('a', index), bev(float(index)))
    first = memory.recall(frame('a', 2))
    assert torch.equal(first.bev, bev(1.0))
    memory.remember(frame('a', 2), bev(2.0))
    assert memory.recall(frame('a', 2)) is first
    assert torch.equal(memory.recall(frame('a', 3)).bev, bev(2.0))


def test_a_gap_or_a_step_back_starts_anew():
    memory = BEVMemory()
    for index in (0, 1, 5):
        memory.remember(frame('a', index), bev(float(index)))
    assert memory.recall(frame('a', 2)) is None and memory.recall(frame('a', 6)) is not None
    memory.remember(frame('a', 0), bev(0.0))
    assert memory.recall(frame('a', 6)) is None and memory.recall(frame('a', 1)) is not None


def test_memory_is_bounded():
    memory = BEVMemory()
    for index in range(50):
        memory.remember(frame('a', index), bev(0.0))
        memory.remember(frame('b', index), bev(0.0))
    assert len(memory) == 4
    memory.keep(['b'])
    assert len(memory) == 2 and memory.recall(frame('a', 50)) is None and memory.recall(frame('b', 50)) is not None
    memory.reset()
    assert len(memory) == 0


def test_what_is_stored_belongs_to_the_memory():
    """No gradient, no link to the tensor that was handed over, none to the meta data."""
    memory = BEVMemory()
    sample, given = frame('a', 0, x=100.0), bev(1.0).requires_grad_()
    memory.remember(sample, given * 1)
    memory.remember(frame('b', 0), given)
    sample.can_bus_absolute[:] = -1
    with torch.no_grad():
        given.zero_()
    kept = memory.recall(frame('a', 1))
    assert not kept.bev.requires_grad and kept.can_bus[0] == 100
    assert torch.equal(memory.recall(frame('b', 1)).bev, bev(1.0))


@pytest.mark.parametrize('copied', [copy.deepcopy, copy.copy, lambda memory: pickle.loads(pickle.dumps(memory))])
def test_copies_start_empty(copied):
    memory = BEVMemory()
    memory.remember(frame('a', 0), bev(1.0))
    other = copied(memory)
    assert len(other) == 0 and len(memory) == 1
    other.remember(frame('c', 0), bev(2.0))
    assert len(memory) == 1


def test_motion_is_the_difference_in_float64():
    """A step of 1 mm, 3 km away from the map's origin, which float32 positions could not tell."""
    before, now = frame('a', 0, x=3000.0, degrees=359.0), frame('a', 1, x=3000.001, degrees=1.0)
    memory = BEVMemory()
    memory.remember(before, bev(0.0))
    state = state_since(memory.recall(now), now)
    assert state[0] == pytest.approx(0.001, rel=1e-6)
    assert state[17] == pytest.approx(-358) and state[16] == pytest.approx(np.radians(1))
    alone = state_since(None, now)
    assert alone[0] == 0 and alone[17] == 0 and alone[16] == pytest.approx(np.radians(1))
    assert now.can_bus_absolute[0] == 3000.001


def test_steps_follow_time_and_put_scenes_side_by_side():
    samples = [frame('a', 7), frame('b', 0), frame('a', 6), frame('a', 8), frame('b', 1), frame('c', 2)]
    assert time_steps(samples) == [[1, 5, 2], [4, 0], [3]]
    assert time_steps([frame('a', 1), frame('a', 1)]) == [[0], [1]]
    assert time_steps([]) == []


def test_a_sample_that_cannot_be_placed_is_named():
    sample = frame('a', 0)
    sample.set_metainfo(dict(can_bus_absolute=np.zeros((1, 18))))
    with pytest.raises(ValueError, match=r"sample a0: 'can_bus_absolute' must be \(18,\), got \(1, 18\)"):
        absolute_state(sample)
    del sample.frame_idx
    with pytest.raises(KeyError, match="sample a0 has no 'frame_idx'"):
        BEVMemory().recall(sample)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.frozen = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
        self.drop = nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.drop(self.frozen(self.norm(x)))

    def train(self, mode: bool = True):
        """Like mmdet's ResNet, whose frozen stages stay in eval mode."""
        super().train(mode)
        self.frozen.eval()
        return self


@pytest.mark.parametrize('fails', [False, True])
def test_modes_are_as_before(fails: bool):
    net = Net().train()
    net.drop.eval()
    modes = {name: part.training for name, part in net.named_modules()}
    assert len(set(modes.values())) == 2
    statistics = net.norm.running_mean.clone()

    def run() -> torch.Tensor:
        with frozen_pass(net):
            assert not any(part.training for part in net.modules())
            result = net(torch.randn(5, 3))
            if fails:
                raise RuntimeError('inside')
            return result

    if fails:
        with pytest.raises(RuntimeError, match='inside'):
            run()
    else:
        assert not run().requires_grad
    assert {name: part.training for name, part in net.named_modules()} == modes
    assert torch.equal(net.norm.running_mean, statistics)
    assert torch.is_grad_enabled()
