"""The host waits for the device at most once in a forward pass, however many frames and cameras there are."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from host_syncs import HostSyncs, count_host_syncs
from mmdet3d.registry import MODELS
from sequences import frame_batch, queue_batch, temporal_student
from student_configs import small

from bevdistill.students.bevformer import frame

QUEUES = [[('a', 0), ('a', 1), ('a', 2)], [('c', 3), ('c', 5), ('d', 0)]]


def counted(run: Callable[[], object]) -> HostSyncs:
    """What the second run of something does: the first one moves constants to the device."""
    run()
    with count_host_syncs() as syncs:
        run()
    return syncs


def test_one_frame():
    model = MODELS.build(small()).train()
    inputs, samples = frame_batch([('a', 0), ('b', 0)])
    syncs = counted(lambda: model.forward_outputs(inputs, samples))
    assert syncs.number == 1, str(syncs)
    assert 'frame.py' in str(syncs)


def test_queue_of_three():
    model = temporal_student().train()
    inputs, samples = queue_batch(QUEUES)
    syncs = counted(lambda: model.forward_outputs(inputs, samples))
    assert syncs.number == 1, str(syncs)


def test_lists_of_all_pairs_need_no_wait(monkeypatch):
    """What the Triton backend takes."""
    monkeypatch.setattr(frame, 'lists_of', lambda tensor: 'all')
    model = temporal_student().train()
    inputs, samples = queue_batch(QUEUES)
    syncs = counted(lambda: model.forward_outputs(inputs, samples))
    assert syncs.number == 0, str(syncs)


@torch.no_grad()
def test_scenes_with_a_memory():
    model = temporal_student()
    # Two frames of one scene, which have to be encoded one after the other, beside one of another.
    inputs, samples = frame_batch([('a', 1), ('a', 2), ('b', 5)])
    syncs = counted(lambda: model.forward_outputs(inputs, samples, with_heatmap=False))
    assert syncs.number == 1, str(syncs)


@pytest.mark.parametrize(
    ('wait', 'kind'),
    [
        (lambda t: t.sum().item(), 'item'),
        (lambda t: 1 if t.any() else 0, 'item, bool'),
        (lambda t: torch.zeros(int(t[0])), 'item, bool, int'),
        (lambda t: t.nonzero(), 'nonzero'),
        (lambda t: t[t > 0], 'indexing with a mask'),
        (lambda t: t.masked_select(t > 0), 'masked_select'),
        (lambda t: t.unique(), 'unique'),
        (lambda t: t.cpu(), 'cpu'),
        (lambda t: t.tolist(), 'tolist'),
        (lambda t: t[[0, 1]], 'list of indices'),
        (lambda t: t.new_tensor([1.0]), 'upload by new_tensor'),
        (lambda t: torch.tensor([1.0], device=t.device), 'upload by tensor'),
        (lambda t: torch.as_tensor([1.0]), 'upload by as_tensor'),
        (lambda t: torch.from_numpy(t.numpy()).to(t.device), 'waited for'),
        (lambda t: t.repeat_interleave(t.long()), 'output_size'),
    ],
)
def test_each_kind_is_seen(wait, kind):
    with count_host_syncs() as syncs:
        wait(torch.ones(3))
    assert syncs.number >= 1
    assert kind in str(syncs)
    assert 'test_host_waits.py' in str(syncs)


def test_what_does_not_wait_is_not_counted():
    with count_host_syncs() as syncs:
        values = torch.ones(3, 4)
        values[0, 1:].add_(values.new_zeros(3)).clamp(min=1)
        torch.where(values > 0, values, 0.0).gather(1, torch.zeros(3, 1, dtype=torch.long))
        torch.from_numpy(values.numpy()).to(values.device, non_blocking=True)
        values.repeat_interleave(torch.full((3,), 2), dim=0, output_size=6)
    assert str(syncs) == 'none'
