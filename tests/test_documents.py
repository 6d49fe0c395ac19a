"""The documents' code runs: the new method of CONTRIBUTING.md is short, builds, is right and trains."""

from __future__ import annotations

import ast
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from tiny_runs import tiny_config, train, untrained_teacher

import bevdistill
import projects
from bevdistill.structures import BEVGrid, BEVOutputs, Targets

REPO = Path(__file__).resolve().parents[1]


def python_blocks(name: str) -> list[str]:
    return re.findall(r'^```python\n(.*?)^```', (REPO / name).read_text(), flags=re.MULTILINE | re.DOTALL)


EXAMPLE = 'projects/mean_map/configs/mean_map_r50_1x_nus-3d.py'


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The new method of CONTRIBUTING.md, written into a checkout where the document says."""
    for block in python_blocks('CONTRIBUTING.md'):
        if path := re.match(r'# (projects/\S+\.py)\n', block):
            file = tmp_path / path[1]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block)
    (tmp_path / 'configs').symlink_to(REPO / 'configs')
    monkeypatch.setattr(projects, '__path__', [*projects.__path__, str(tmp_path / 'projects')])
    yield tmp_path
    sys.modules.pop('projects.mean_map', None)
    MODELS.module_dict.pop('MeanMapLoss', None)


def outputs(batch: int, channels: int) -> BEVOutputs:
    grid = BEVGrid((-4.0, -2.0, -1.0, 4.0, 2.0, 1.0), rows=2, cols=3)
    return BEVOutputs(grid=grid, bev=torch.randn(batch, channels, 2, 3), states=torch.randn(1, batch, 5, 4),
                      logits=torch.randn(1, batch, 5, 10), codes=torch.randn(1, batch, 5, 10),
                      references=torch.rand(1, batch, 5, 2))


def test_example_is_short_and_right(example: Path) -> None:
    files = list((example / 'projects').rglob('*.py'))
    assert len(files) == 2
    assert sum(len(file.read_text().splitlines()) for file in files) < 40
    assert EXAMPLE in (REPO / 'CONTRIBUTING.md').read_text()
    cfg = Config.fromfile(str(example / EXAMPLE))
    init_default_scope('mmdet3d')
    distiller = MODELS.build(dict(cfg.model.to_dict(), teacher_checkpoint='teacher.pth'))
    assert list(distiller.losses) == ['mean_map']
    student, teacher = outputs(2, 4), outputs(2, 6)
    empty = Targets((torch.zeros(0, 9),) * 2, (torch.zeros(0, dtype=torch.long),) * 2)
    expected = sum(
        (float(student.bev[b, :, r, c].mean()) - float(teacher.bev[b, :, r, c].mean())) ** 2
        for b in range(2) for r in range(2) for c in range(3)
    ) / 12
    value = distiller.losses['mean_map'](student, teacher, empty)['loss']
    torch.testing.assert_close(value, torch.tensor(expected))


@pytest.mark.usefixtures('one_thread')
def test_example_trains(example: Path, synthetic_root: Path, synthetic_infos: Path, tmp_path: Path) -> None:
    """One step of its twin: the same config on the CPU-sized base."""
    config = example / EXAMPLE
    text = config.read_text()
    assert 'configs/bevdistill/' in text
    config.write_text(text.replace('configs/bevdistill/', 'configs/synthetic/bevdistill/'))
    options = {'train_dataloader.batch_size': 2, 'model.teacher_checkpoint': untrained_teacher(tmp_path)}
    cfg = tiny_config(config, 1, synthetic_root, synthetic_infos, tmp_path / 'run', options)
    cfg.model.trust_teacher = True
    recorder = train(cfg)
    assert math.isfinite(recorder.losses[0])
    assert {name for name in recorder.names if name.startswith('distill.')} == {'distill.mean_map.loss'}


def test_python_in_documents_parses() -> None:
    for name in ('README.md', 'CONTRIBUTING.md'):
        for block in python_blocks(name):
            ast.parse(block)


def test_files_that_documents_link_to_exist() -> None:
    for name in ('README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'):
        for target in re.findall(r'\]\(([^)#:]+)\)', (REPO / name).read_text()):
            assert (REPO / target).exists(), f'{name} links to {target}'


def test_the_version_is_one() -> None:
    """Of the package, of CITATION.cff, and of the newest closed part of the changelog, with its date."""
    citation = yaml.safe_load((REPO / 'CITATION.cff').read_text())
    newest = re.findall(r'^## \[(\d.*?)\] - (\S+)$', (REPO / 'CHANGELOG.md').read_text(), flags=re.MULTILINE)[0]
    assert (citation['version'], citation['date-released']) == newest
    assert citation['version'] == bevdistill.__version__
    assert citation['preferred-citation']['year'] == 2023


def test_the_readme_is_one_page() -> None:
    assert len((REPO / 'README.md').read_text().splitlines()) < 120


def test_make_targets_in_documents_exist() -> None:
    known = set(re.findall(r'^(\w+):.*##', (REPO / 'Makefile').read_text(), flags=re.MULTILINE))
    for name in ('README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'):
        text = (REPO / name).read_text()
        used = set(re.findall(r'(?:^|`)make (\w+)', text, flags=re.MULTILINE)) - {'PYTHON'}
        assert used <= known, f'{name} names targets that the Makefile lacks: {sorted(used - known)}'
