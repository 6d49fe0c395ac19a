"""Two processes with one sample each train on the same loss as one process with both samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmdet3d.registry import MODELS

LOSSES: dict[str, dict[str, Any]] = dict(
    dense=dict(type='DenseBEVLoss', mask=dict(type='SoftForeground')),
    response=dict(type='HeatmapDistillLoss', mask=dict(type='SoftForeground')),
    instance=dict(
        type='InstanceDistillLoss',
        pairing=dict(type='TeacherBoxPairing', max_boxes=4, score_threshold=0.78),
        quality=dict(type='ScoreQuality'),
        terms=dict(box=dict(type='BoxCodeTerm'), cls=dict(type='SoftClassTerm', unmatched='background')),
    ),
    scaled=dict(type='DenseBEVLoss', mask=dict(type='AllCells'), teacher_scale=dict(type='TeacherScale')),
)


def work(rank: int, rendezvous: str, parts: list[Any], answers: Any) -> None:
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'file://{rendezvous}', rank=rank, world_size=2)
    values = {}
    for name, config in LOSSES.items():
        for term, value in MODELS.build(config)(*parts[rank]).items():
            if 'loss' in term:
                dist.all_reduce(value)
                values[f'{name}.{term}'] = float(value / 2)
    if rank == 0:
        answers.put(values)
    dist.destroy_process_group()


@pytest.mark.skipif('fork' not in mp.get_all_start_methods(), reason='needs to fork')
def test_two_ranks(make_outputs, make_targets, single, sample_of, tmp_path: Path) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(4, 1)
    parts = [(single(student, b), single(teacher, b), sample_of(targets, b)) for b in range(2)]
    context = mp.get_context('fork')
    answers = context.SimpleQueue()
    workers = [context.Process(target=work, args=(rank, str(tmp_path / 'meet'), parts, answers)) for rank in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    got = answers.get()
    for name, config in LOSSES.items():
        for term, value in MODELS.build(config)(student, teacher, targets).items():
            if 'loss' in term:
                assert got[f'{name}.{term}'] == pytest.approx(float(value), rel=1e-4), f'{name}.{term}'
    assert 'instance.loss_box' in got
