"""A study with real trainings: killed in the middle, started again, and every number as if undisturbed."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from forked import forked_tools
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from test_run_job import until

from bevdistill.cli import study as verb

REPO = Path(__file__).resolve().parents[2]
STUDENT = 'configs/synthetic/bevformer/bevformer_r50_1x_nus-3d.py'
DISTILLED = 'configs/synthetic/ablations/dense-only.py'


def study(root: Path, infos: Path, teacher: Path) -> dict[str, Any]:
    """Two seeds of one row and one of another, of four iterations."""
    keys = ('num_workers', 'persistent_workers')
    loaders = [f'{split}_dataloader.{key}' for split in ('train', 'test') for key in keys]
    return dict(
        data=str(root),
        seeds=[0, 1],
        predictions=True,
        overrides={
            'train_cfg.max_iters': 4,
            'train_dataloader.batch_size': 1,
            'default_hooks.checkpoint.interval': 2,
            'train_dataloader.dataset.dataset.ann_file': str(infos / 'nuscenes_infos_train.msgpack.gz'),
            'test_dataloader.dataset.ann_file': str(infos / 'nuscenes_infos_val.msgpack.gz'),
            'test_evaluator.ann_file': str(infos / 'nuscenes_infos_val.msgpack.gz'),
            **{key: 0 if 'num' in key else False for key in loaders},
        },
        rows=[
            dict(name='student', config=STUDENT),
            dict(
                name='dense', config=DISTILLED, base='student', seeds=[1],
                inputs={'model.teacher_checkpoint': str(teacher)}, overrides={'+model.trust_teacher': True},
            ),
        ],
    )  # fmt: skip


def start(study: Path, out: Path, tools: Path) -> BaseProcess:
    """``study run`` in a process of its own."""
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    words = ['run', str(study), '--out', str(out), '--tools', str(tools), '--cores', '1', '--threads', '1']
    process = multiprocessing.get_context('fork').Process(target=lambda: os._exit(verb.run(parser.parse_args(words))))
    process.start()
    return process


def ends(process: BaseProcess) -> int | None:
    """Exit status of a process that is waited for."""
    process.join(1200)
    return process.exitcode


@pytest.mark.slow  # nine processes' worth of building, training and scoring, in one
def test_killed_in_the_middle_and_started_again(synthetic_root: Path, synthetic_infos: Path, tmp_path: Path) -> None:
    init_default_scope('mmdet3d')
    teacher = tmp_path / 'teacher.pth'
    cfg = Config.fromfile(str(REPO / DISTILLED))
    torch.save(dict(state_dict=MODELS.build(cfg.model.teacher).state_dict()), teacher)
    tree = study(synthetic_root, synthetic_infos, teacher)
    file, one = tmp_path / 'study.yml', tmp_path / 'alone.yml'
    file.write_text(yaml.safe_dump(tree))
    one.write_text(yaml.safe_dump(dict(tree, seeds=[1], rows=tree['rows'][:1])))
    with forked_tools(tmp_path) as stand_ins:
        first = start(file, tmp_path / 'study', stand_ins)
        until((tmp_path / 'study/runs/student_seed1/iter_2.pth').exists, 600)
        assert first.pid is not None
        os.kill(first.pid, signal.SIGKILL)
        assert ends(first) == -signal.SIGKILL
        assert ends(start(file, tmp_path / 'study', stand_ins)) == 0
        assert ends(start(one, tmp_path / 'alone', stand_ins)) == 0

    jobs = {job['job']: job for job in json.loads((tmp_path / 'study/manifest.json').read_text())['jobs']}
    assert list(jobs) == ['student_seed0', 'student_seed1', 'dense_seed1']
    assert {job['state'] for job in jobs.values()} == {'done'}
    assert all({'NDS', 'mAP', 'mATE', 'car_AP'} <= set(job['metrics']) for job in jobs.values())
    attempts = [(attempt['stage'], attempt['exit']) for attempt in jobs['student_seed1']['attempts']]
    assert attempts == [('train', None), ('train', 0), ('test', 0)], 'killed while it trained'
    assert [attempt['stage'] for attempt in jobs['student_seed0']['attempts']] == ['train', 'test'], 'run once'
    log = (tmp_path / 'study/logs/student_seed1-train.log').read_text()
    assert 'resumed epoch' in log and 'iter_2.pth' in log

    (undisturbed,) = json.loads((tmp_path / 'alone/manifest.json').read_text())['jobs']
    pair = (undisturbed['metrics'], jobs['student_seed1']['metrics'])
    timeless = [{name: value for name, value in metrics.items() if 'time' not in name} for metrics in pair]
    assert timeless[0] == timeless[1]
    weights = [
        torch.load(tmp_path / part / 'runs/student_seed1/iter_4.pth', weights_only=False)['state_dict']
        for part in ('study', 'alone')
    ]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    other = torch.load(tmp_path / 'study/runs/student_seed0/iter_4.pth', weights_only=False)['state_dict']
    assert any(not torch.equal(weights[0][name], other[name]) for name in other), 'seeds differ'
    assert (tmp_path / 'study/runs/dense_seed1/predictions/pred_instances_3d/results_nusc.json').is_file()
