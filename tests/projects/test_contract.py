"""What every project has: files, configs that differ from BEVDistill's in the losses alone, losses that behave."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from all_projects import BASELINE, BASELINE_TWIN, METHODS, PROJECTS, REPO, row, twin
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.registry import init_default_scope
from shipped_configs import load
from torch import nn

import bevdistill  # noqa: F401
from bevdistill.engine.overrides import apply_overrides

CONFIGS = [file for project in PROJECTS for file in (row(project), twin(project))]
for _project in PROJECTS:
    import_module(f'projects.{_project}')
CHANNELS, CLASSES = 64, 10
"""Of the twins, whose losses are built here."""


def name(file: Path) -> str:
    return str(file.relative_to(REPO))


def losses_of(project: str) -> dict[str, nn.Module]:
    """The losses of a project's twin by name."""
    init_default_scope('mmdet3d')
    configs = load(twin(project)).model.losses.to_dict()
    for config in configs.values():
        config.pop('weight', None)
        config.pop('schedule', None)
    return {key: MODELS.build(config) for key, config in configs.items()}


@pytest.mark.parametrize('project', PROJECTS)
def test_files(project: str) -> None:
    folder = REPO / 'projects' / project
    readme = (folder / 'README.md').read_text()
    for words in ('arXiv', 'from the paper', 'not measured here yet', 'tools/train.py', name(row(project))):
        assert words in readme, f'{project}/README.md lacks "{words}"'
    for link in re.findall(r'\]\(([^)#:]+)\)', readme):
        assert (folder / link).exists(), f'{project}/README.md links to {link}'
    assert list((REPO / 'tests' / 'projects' / project).glob('test_*.py'))
    assert f'[{project}]({project})' in (REPO / 'projects' / 'README.md').read_text()


@pytest.mark.usefixtures('no_random_weights')
@pytest.mark.parametrize('file', CONFIGS, ids=name)
def test_config_begins_as_a_lab_note_and_builds(file: Path) -> None:
    header = file.read_text().split('\n_base_')[0]
    for word in ('# Command', '# Hardware', '# Result'):
        assert word in header
    assert name(file) in header
    assert 'measured here' in header.lower()
    cfg = load(file)
    project = file.relative_to(REPO / 'projects').parts[0]
    assert cfg.custom_imports.imports == ['bevdistill', f'projects.{project}']
    init_default_scope('mmdet3d')
    model = MODELS.build(cfg.model.to_dict())
    assert len(model.losses) > 0
    with pytest.raises(ValueError, match='needs teacher_checkpoint'):
        model.check_trainable()


@pytest.mark.parametrize('project', METHODS)
def test_rows_differ_in_the_losses_alone(project: str) -> None:
    """Same student, teacher, data, schedule, auxiliary heads and start: what is compared is the method."""
    for own, base in ((row(project), BASELINE), (twin(project), BASELINE_TWIN)):
        mine, theirs = load(own).to_dict(), load(base).to_dict()
        assert mine['model'].pop('losses') != theirs['model'].pop('losses')
        assert {key: mine[key] for key in theirs if key != 'custom_imports'} == {
            key: theirs[key] for key in theirs if key != 'custom_imports'
        }


FEW_LABELS = sorted(file for project in METHODS for file in twin(project).parent.glob('*_few-labels_nus-3d.py'))


@pytest.mark.parametrize('file', FEW_LABELS, ids=name)
def test_rows_with_few_labels_differ_in_the_losses_alone(file: Path) -> None:
    ordinary = file.with_name(file.name.replace('_few-labels', ''))
    base = BASELINE_TWIN.with_name(BASELINE_TWIN.name.replace('_r50_1x', '_r50_1x_few-labels'))
    mine, theirs = load(file).to_dict(), load(base).to_dict()
    assert mine['model'].pop('losses') == load(ordinary).to_dict()['model']['losses']
    assert theirs['model'].pop('losses')
    assert {key: mine[key] for key in theirs if key != 'custom_imports'} == {
        key: theirs[key] for key in theirs if key != 'custom_imports'
    }


def types(config: object, path: str = '') -> Iterator[tuple[str, str]]:
    """All ``type`` entries of a config with their dotted path."""
    if isinstance(config, dict):
        for key, value in config.items():
            if key == 'type':
                yield path, str(value)
            else:
                yield from types(value, f'{path}.{key}')


def own_losses(mine: Config, base: Config) -> dict[str, Any]:
    """Losses that are not the base's, word for word."""
    kept = base.model.losses.to_dict()
    return {key: loss for key, loss in mine.model.losses.to_dict().items() if kept.get(key) != loss}


@pytest.mark.parametrize('project', METHODS)
def test_the_twin_computes_the_same_losses(project: str) -> None:
    """Those of BEVDistill that a project keeps as they are, its own twin answers for."""
    pairs = ((twin(project), BASELINE_TWIN), (row(project), BASELINE))
    small, large = (dict(types(own_losses(load(mine), load(base)))) for mine, base in pairs)
    assert small == large


@pytest.mark.parametrize('project', METHODS)
def test_unknown_keys_are_refused(project: str) -> None:
    key = next(iter(load(twin(project)).model.losses))
    with pytest.raises(ValueError, match=f"no key 'model.losses.{key}.wieght'"):
        apply_overrides(Config(load(twin(project)).to_dict()), {f'model.losses.{key}.wieght': 1.0})
    model = load(twin(project)).model.to_dict()
    model['losses'][key]['wieght'] = 1.0
    with pytest.raises(TypeError, match='wieght'):
        MODELS.build(model | dict(teacher_checkpoint='teacher.pth'))


@pytest.mark.parametrize('counts', [(3, 2), (2, 0), (0, 0)], ids=str)
@pytest.mark.parametrize('project', METHODS)
def test_losses_teach_the_student_alone(
    project: str, counts: tuple[int, int], make_outputs: Callable[..., Any], make_targets: Callable[..., Any]
) -> None:
    """A batch of two on a grid of odd size, with objects and without; all that is trained gets a gradient."""
    MessageHub.get_current_instance().update_info_dict(dict(iter=50, max_iters=100))
    shape = dict(channels=CHANNELS, classes=CLASSES, rows=5, cols=7, queries=11, grad=True)
    student, teacher = make_outputs(**shape), make_outputs(**shape, seed=1)
    total = torch.zeros(())
    losses = losses_of(project)
    for loss in losses.values():
        entries = loss(student, teacher, make_targets(*counts, classes=CLASSES))
        assert all(bool(value.isfinite()) and value.dim() == 0 for value in entries.values())
        total = total + sum(value for term, value in entries.items() if 'loss' in term)
    total.backward()
    gradients = [getattr(student, tap).grad for tap in ('bev', 'states', 'logits', 'codes', 'heatmap_features')]
    found = [gradient for gradient in gradients if gradient is not None]
    assert found
    assert all(bool(gradient.isfinite().all()) for gradient in found)
    if counts == (3, 2):
        assert float(total.detach()) > 0
        assert sum(float(gradient.abs().sum()) for gradient in found) > 0
    assert all(getattr(teacher, tap).grad is None for tap in teacher.taps() if getattr(teacher, tap).is_leaf)
    for loss in losses.values():
        assert all(weight.grad is not None for weight in loss.parameters())


@pytest.mark.parametrize('project', METHODS)
def test_losses_read_what_they_say_and_nothing_else(
    project: str, make_outputs: Callable[..., Any], make_targets: Callable[..., Any]
) -> None:
    """A tap that a loss does not want can be anything."""
    shape = dict(channels=CHANNELS, classes=CLASSES)
    sides, targets = dict(student=make_outputs(**shape), teacher=make_outputs(**shape, seed=1)), make_targets(3, 2)
    for loss in losses_of(project).values():
        loss.eval()
        assert loss.wants
        others = {
            side: replace(outputs, **{
                tap: getattr(make_outputs(**shape, seed=9), tap)
                for tap in outputs.taps()
                if f'{side}.{tap}' not in loss.wants
            })
            for side, outputs in sides.items()
        }
        other_targets = targets if 'targets' in loss.wants else make_targets(1, 0)
        first, second = loss(**sides, targets=targets), loss(**others, targets=other_targets)
        torch.testing.assert_close(second, first, rtol=0, atol=0)
