"""What a run logs of its distillation, and that measuring changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.distributed as dist
from forked import CONTEXT
from host_syncs import count_host_syncs
from mmdet3d.registry import MODELS
from mmengine.logging import MMLogger
from mmengine.visualization import Visualizer

from bevdistill.distributed import HostDistributedDataParallel
from bevdistill.engine import Bfloat16OptimWrapper
from bevdistill.engine.hooks import DiagnoseDistillation
from bevdistill.structures import Targets

LOSSES: dict[str, Any] = dict(
    dense=dict(type='DenseBEVLoss', mask=dict(type='SoftForeground')),
    sparse=dict(
        type='InstanceDistillLoss',
        pairing=dict(type='TeacherBoxPairing', max_boxes=4),
        quality=dict(type='ScoreQuality'),
        terms=dict(box=dict(type='BoxCodeTerm', weight=0.25, layers='all')),
    ),
)
SHARES = {f'gradient_share/{name}' for name in ('loss_cls', 'loss_bbox', 'loss_heatmap')}
DISTILLED = {f'gradient_share/distill.{name}' for name in ('dense.loss', 'sparse.loss_box')}
BOXES = {'cka_bev', 'matched_distance_m', 'score_gap', 'score_gap_teacher'}


class Run:
    """As much of a runner as the hook asks for, which trains a distiller of made-up detectors."""

    def __init__(self, teacher: Path, folder: Path, hook: DiagnoseDistillation | None, **options: Any) -> None:
        torch.manual_seed(3)
        losses = options.pop('losses', LOSSES)
        self.bare = MODELS.build(
            dict(
                type='BEVDistiller',
                student=dict(type='FakeDetector', source='imgs'),
                teacher=dict(type='FakeDetector', source='points'),
                teacher_checkpoint=str(teacher),
                losses=losses,
            )
        )
        self.bare.init_weights()
        self.model = HostDistributedDataParallel(self.bare) if dist.is_initialized() else self.bare
        self.optim_wrapper = Bfloat16OptimWrapper(torch.optim.SGD(self.bare.parameters(), lr=0.01), **options)
        self.optim_wrapper.initialize_count_status(self.model, 0, 4)
        backends = [dict(type='LocalVisBackend')]
        self.visualizer = Visualizer(f'run of {folder}', vis_backends=backends, save_dir=str(folder))
        self.logger, self.timestamp, self.folder = MMLogger.get_current_instance(), 'now', folder
        self.hook = hook

    def train(self, batches: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Weights after a step with each batch."""
        if self.hook:
            self.hook.before_train(self)
        self.model.train()
        for self.iter, data in enumerate(batches):
            torch.manual_seed(self.iter)
            if self.hook:
                self.hook.before_train_iter(self, self.iter)
            with self.optim_wrapper.optim_context(self.model):
                losses, _ = self.bare.parse_losses(self.model(**data, mode='loss'))
            self.optim_wrapper.update_params(losses)
            if self.hook:
                self.hook.after_train_iter(self, self.iter)
        return {name: value.clone() for name, value in self.bare.state_dict().items()}

    def logged(self) -> list[dict[str, float]]:
        lines = (self.folder / 'vis_data' / 'scalars.json').read_text().splitlines()
        return [{key.removeprefix('diagnose/'): value for key, value in json.loads(line).items()} for line in lines]


def test_measuring_changes_no_weight(save_teacher, batch, tmp_path: Path) -> None:
    batches = [batch(2, boxes=boxes) for boxes in (3, 0, 2, 1)]
    options = dict(accumulative_counts=2, clip_grad=dict(max_norm=0.5))
    plain = Run(save_teacher(), tmp_path / 'plain', None, **options).train(batches)
    run = Run(save_teacher(), tmp_path / 'seen', DiagnoseDistillation(interval=1, window=3), **options)
    seen = run.train(batches)
    assert plain.keys() == seen.keys()
    assert all(torch.equal(plain[name], seen[name]) for name in plain)
    assert run.bare.step_listener is None
    logged = run.logged()
    assert [line['step'] for line in logged] == [1, 2, 3, 4]
    assert all(set(line) >= BOXES | SHARES | DISTILLED | {'effective_weights'} for line in logged)
    for line in logged:
        assert sum(value for name, value in line.items() if name.startswith('gradient_share/')) == pytest.approx(1)
        assert 0 <= line['cka_bev'] <= 1 and 1 <= line['effective_weights'] <= 4
    assert ['dead_queries' in line for line in logged] == [False, False, True, True]


def test_dead_queries_were_idle_for_the_whole_window(save_teacher, batch, tmp_path: Path) -> None:
    hook = DiagnoseDistillation(window=2, score_threshold=0.9)
    run = Run(save_teacher(), tmp_path, hook)
    hook.before_train(run)
    run.bare.eval()
    busy = []
    for count in (3, 1, 0):
        data = batch(1, boxes=count)
        outputs = run.bare.student.forward_outputs(data['inputs'], data['data_samples'])
        targets = Targets.from_samples(data['data_samples'])
        hook._used.append(hook._busy(outputs, targets))
        busy.append(set(hook._used[-1].nonzero().flatten().tolist()))
    assert [len(each) for each in busy] == [3, 1, 0]
    assert hook._fetch()['dead_queries'] == pytest.approx(1 - len(busy[1] | busy[2]) / 6)
    hook.score_threshold = 0.0
    assert hook._busy(outputs, targets).all()


def test_other_steps_and_other_models_cost_nothing(save_teacher, batch, tmp_path: Path) -> None:
    hook = DiagnoseDistillation(interval=3)
    run = Run(save_teacher(), tmp_path, hook)
    run.train([batch(1)] * 2)
    assert not (tmp_path / 'vis_data' / 'scalars.json').exists()
    run.iter = 0
    with count_host_syncs() as syncs:
        hook.before_train_iter(run, 0)
        hook.after_train_iter(run, 0)
    assert syncs.number == 0, str(syncs)
    student = SimpleNamespace(model=run.bare.student, iter=2)
    off = SimpleNamespace(model=run.bare, iter=2)
    for other, idle in ((student, hook), (off, DiagnoseDistillation(interval=-1))):
        idle.before_train(other)
        idle.before_train_iter(other, 2)
        idle.after_train_iter(other, 2)
    assert run.bare.step_listener is None


def test_without_pairs_of_its_own_detection_pairs(save_teacher, batch, tmp_path: Path) -> None:
    run = Run(save_teacher(), tmp_path, DiagnoseDistillation(interval=1), losses=dict(dense=LOSSES['dense']))
    unlabelled = batch(1)
    unlabelled['data_samples'][0].set_metainfo(dict(labelled=False))
    run.bare.unlabelled = SimpleNamespace(fill=lambda samples, *_: (samples, {}))  # They have boxes already.
    run.train([batch(1), unlabelled])
    labelled, without = run.logged()
    assert 'matched_distance_m' in labelled and 'effective_weights' not in labelled
    assert {'score_gap', 'score_gap_teacher'} == labelled.keys() - without.keys()


def test_what_cannot_be_walked_twice_is_said(save_teacher, batch, tmp_path: Path) -> None:
    run = Run(save_teacher(), tmp_path, DiagnoseDistillation(interval=1))
    decoder = run.bare.student.pts_bbox_head.transformer.decoder
    decoder._compiled_call_impl = decoder._call_impl  # As torch.compile leaves it, without its minutes.
    run.logger = SimpleNamespace(info=(said := []).append)
    run.train([batch(1)])
    assert 'gradient_share/* are not measured: a part of the head' in said[0]
    assert not any(name.startswith('gradient_share') for name in run.logged()[0])
    with pytest.raises(ValueError, match='at least 1, or -1 for never, and window at least 1, got 0 and 10'):
        DiagnoseDistillation(interval=0)


def run_rank(rank: int, teacher: Path, folder: Path, batches: list[dict[str, Any]]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'file://{folder}/meet', rank=rank, world_size=2)
    plain = Run(teacher, folder / f'plain{rank}', None).train(batches)
    hook = DiagnoseDistillation(interval=1, window=1)
    found: list[dict[str, float]] = []
    hook._fetch = lambda: found.append(DiagnoseDistillation._fetch(hook)) or found[-1]  # type: ignore[method-assign]
    seen = Run(teacher, folder / f'seen{rank}', hook).train(batches)
    same = all(torch.equal(plain[name], seen[name]) for name in plain)
    torch.save((same, found), folder / f'rank{rank}.pt')
    dist.destroy_process_group()


def test_two_ranks_measure_all_samples(save_teacher, batch, tmp_path: Path) -> None:
    teacher, data = save_teacher(), batch(2)

    def part(rank: int) -> dict[str, Any]:
        rows = slice(rank, rank + 1)
        inputs = {key: value[rows] for key, value in data['inputs'].items()}
        return dict(inputs=inputs, data_samples=data['data_samples'][rows])

    arguments = [(rank, teacher, tmp_path, [part(rank)]) for rank in range(2)]
    processes = [CONTEXT.Process(target=run_rank, args=each) for each in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=120)
    (same, first), (other_same, second) = (torch.load(tmp_path / f'rank{rank}.pt') for rank in range(2))
    assert same and other_same and first == second
    hook = DiagnoseDistillation(interval=1, window=1)
    alone = Run(teacher, tmp_path / 'alone', hook)
    alone.train([data])
    (whole,) = alone.logged()
    assert first[0]['score_gap_teacher'] == pytest.approx(whole['score_gap_teacher'], abs=1e-4)
    assert first[0].keys() == whole.keys() - {'step'}
