"""The ablations: there are all of them, each changes what it says and nothing else, and its CPU-sized twin trains."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from shipped_studies import shipped_study
from tiny_runs import tiny_config, train

import bevdistill  # noqa: F401
from bevdistill.studies.fingerprints import load_config

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
DISTILLED, PLAIN = 'bevdistill/bevdistill_r50_1x_nus-3d.py', 'bevformer/bevformer_r50_1x_nus-3d.py'
LOSSES = 'model.losses.'
CRITICS = (LOSSES + 'sparse.terms.contrast.student_critic.depth', LOSSES + 'sparse.terms.contrast.teacher_critic.depth')
CHANGES: dict[str, tuple[str, ...]] = {
    'dense-only': (LOSSES + 'sparse.',),
    'sparse-only': (LOSSES + 'dense.',),
    'mask-none': (LOSSES + 'dense.mask.',),
    'mask-hard': (LOSSES + 'dense.mask.',),
    'mask-soft': (LOSSES + 'dense.mask.',),
    'mask-predicted': (LOSSES + 'dense.mask.', 'model.student.pts_bbox_head.aux_heatmap'),
    'mask-query': (LOSSES + 'dense.mask.',),
    'quality-off': (LOSSES + 'sparse.quality.',),
    'quality-score': (LOSSES + 'sparse.quality.',),
    'quality-score-iou': (),
    'instance-infonce': (),
    'instance-l1': (LOSSES + 'sparse.terms.contrast.',),
    'instance-kl': (LOSSES + 'sparse.terms.contrast.',),
    'temperature-low': (LOSSES + 'sparse.terms.contrast.temperature',),
    'temperature-high': (LOSSES + 'sparse.terms.contrast.temperature',),
    'critic-depth-1': CRITICS,
    'critic-depth-3': CRITICS,
    'schedule-warmup': (LOSSES + 'dense.schedule', LOSSES + 'sparse.schedule'),
    'schedule-decay': (LOSSES + 'dense.schedule', LOSSES + 'sparse.schedule'),
    'schedule-stop': (LOSSES + 'dense.schedule', LOSSES + 'sparse.schedule'),
    'baseline-aux-head': ('model.pts_bbox_head.aux_heatmap',),
}
"""Where each differs from its base; the twin of a row that is spelled out may not differ at all."""
TWINS_ALONE = ('init-only', 'losses-only', 'baseline-no-aux-head')
READ = (
    'model', 'train_dataloader', 'test_dataloader', 'test_evaluator', 'optim_wrapper', 'param_scheduler', 'train_cfg',
)  # fmt: skip
TRAINED = sorted([*CHANGES, *TWINS_ALONE])

pytestmark = pytest.mark.usefixtures('one_thread')


@cache
def leaves(name: str) -> dict[str, Any]:
    """Every entry of a config by its dotted key."""
    cfg = Config.fromfile(str(CONFIGS / name)).to_dict()
    return dict(pair for key in READ for pair in walk(cfg[key], key))


def walk(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list | tuple) else ()
    if not items:
        yield path, node
    for key, value in items:
        yield from walk(value, f'{path}.{key}')


def changes(name: str, base: str) -> dict[str, tuple[Any, Any]]:
    """Entries that differ from the base."""
    own, other = leaves(name), leaves(base)
    return {
        key: (other.get(key), own.get(key)) for key in own.keys() | other.keys() if own.get(key) != other.get(key)
    }


def base_of(name: str) -> str:
    return PLAIN if name.startswith('baseline') else DISTILLED


def test_all_are_there_and_in_the_table() -> None:
    full = {file.stem for file in (CONFIGS / 'ablations').glob('*.py')}
    twins = {file.stem for file in (CONFIGS / 'synthetic' / 'ablations').glob('*.py')}
    assert full == set(CHANGES)
    assert twins == full | set(TWINS_ALONE)
    table = (CONFIGS / 'ablations' / 'README.md').read_text()
    assert {f'{name}.py' for name in twins} <= {word for line in table.splitlines() for word in line.split('`')}


@pytest.mark.parametrize('name', CHANGES)
def test_changes_what_it_says(name: str) -> None:
    full = changes(f'ablations/{name}.py', base_of(name))
    twin = changes(f'synthetic/ablations/{name}.py', f'synthetic/{base_of(name)}')
    for found in (full, twin):
        assert all(key.startswith(CHANGES[name]) for key in found), found
    assert '_delete_' not in str([*leaves(f'ablations/{name}.py'), *leaves(f'synthetic/ablations/{name}.py')])
    assert bool(full) == bool(CHANGES[name])
    # What the twin has, it has as the full one; numbers of channels are its own, and the heatmap is on in all twins.
    own, theirs = leaves(f'synthetic/ablations/{name}.py'), leaves(f'ablations/{name}.py')
    for key in full.keys() | twin.keys():
        if 'critic' not in key.replace('critic.depth', '') and 'aux_heatmap' not in key and 'dense.' not in key[:18]:
            assert own.get(key) == theirs.get(key), key
    for key in (LOSSES + 'dense.mask.type', *CRITICS):
        assert own.get(key) == theirs.get(key), key


SAME_AS = {
    'baseline-aux-head': 'student',
    'baseline-no-aux-head': 'student-no-heatmap',
    'quality-score-iou': 'bevdistill',
    'instance-infonce': 'bevdistill',
}
"""Rows of the benchmark study that an ablation is, where they have other names."""


@pytest.mark.parametrize('name', TRAINED)
def test_the_study_trains_it(name: str) -> None:
    """A row of the benchmark study has the losses, the auxiliary head and the start of the twin."""
    row = shipped_study(CONFIGS / 'studies' / 'benchmark.yml').row(SAME_AS.get(name, name))
    studied = load_config(row.config, (*row.overrides, *(f'{key}=teacher.pth' for key in row.inputs))).model.to_dict()
    ablation = Config.fromfile(str(CONFIGS / f'synthetic/ablations/{name}.py')).model.to_dict()
    # A loss of weight 0 is left out by the distiller.
    losses = studied.get('losses', {}).items()
    assert {key: loss for key, loss in losses if loss.get('weight') != 0} == ablation.get('losses', {})
    head, own_head = (config.get('student', config)['pts_bbox_head'] for config in (studied, ablation))
    assert head == own_head
    assert studied.get('init_from_teacher') == ablation.get('init_from_teacher')


@pytest.fixture(scope='module')
def teacher_weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A teacher that has learned nothing, and does not say what it is."""
    cfg = Config.fromfile(str(CONFIGS / 'synthetic' / DISTILLED))
    init_default_scope('mmdet3d')
    path = tmp_path_factory.mktemp('teacher') / 'teacher.pth'
    torch.save(dict(state_dict=MODELS.build(cfg.model.teacher).state_dict()), path)
    return str(path)


@pytest.mark.parametrize('name', TRAINED)
def test_twin_trains(
    name: str, teacher_weights: str, synthetic_root: Path, synthetic_infos: Path, tmp_path: Path
) -> None:
    options: dict[str, Any] = {'train_dataloader.batch_size': 1}
    cfg = tiny_config(
        CONFIGS / f'synthetic/ablations/{name}.py', 2, synthetic_root, synthetic_infos, tmp_path, options
    )
    distilled = cfg.model.type == 'BEVDistiller'
    if distilled:
        cfg.model.teacher_checkpoint, cfg.model.trust_teacher = teacher_weights, True
        if 'sparse' in cfg.model.losses and 'start' in cfg.model.losses.sparse.get('schedule', {}):
            cfg.model.losses.sparse.schedule.start = 0.0
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.default_hooks.checkpoint.save_last = False
    recorder = train(cfg)
    assert len(recorder.losses) == 2
    assert all(map(math.isfinite, recorder.losses))
    logged = {entry for entry in recorder.names if entry.startswith('distill.')}
    assert bool(logged) == (distilled and name != 'init-only')
    for part in ('dense', 'sparse'):
        other = {'dense': 'sparse-only', 'sparse': 'dense-only'}[part]
        assert any(entry.startswith(f'distill.{part}.') for entry in logged) == (bool(logged) and name != other)
    assert ('loss_heatmap' in str(recorder.names)) == (name != 'baseline-no-aux-head')
