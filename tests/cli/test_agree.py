"""`bevdistill agree` on toy models: equal maps, noise, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from cli_runs import Done, Run
from mmengine.registry import DefaultScope
from toy_viewers import write_viewer_configs

from bevdistill.cli.main import main

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder with camera.py, lidar.py, teacher.pth, and the same map, turned and unrelated, as students."""
    draw = torch.Generator().manual_seed(0)
    bev = torch.randn(4, 10, 40, generator=draw)
    maps = dict(teacher=bev, same=bev, turned=2 - bev.flip(0), other=torch.randn(4, 10, 40, generator=draw))
    for name, value in maps.items():
        torch.save(dict(state_dict=dict(bev=value), meta={}), tmp_path / f'{name}.pth')
    write_viewer_configs(tmp_path)
    return tmp_path


@pytest.fixture
def agree(models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """``agree(*words)`` compares students of camera.py with the teacher of lidar.py."""
    monkeypatch.syspath_prepend(REPO / 'tests' / 'visualization')
    monkeypatch.chdir(models)

    def call(*words: object) -> Done:
        code = main(['agree', 'lidar.py', 'teacher.pth', 'camera.py', *map(str, words)])
        return Done(code, *capsys.readouterr())

    yield call
    DefaultScope._instance_dict.clear()


def test_a_row_for_each_checkpoint(agree: Run) -> None:
    done = agree('same.pth', 'turned.pth', 'other.pth', '--num', 4, '--sigma', 3)
    assert done.code == 0, done.err
    head, _, *rows = (line.strip('| ').split(' | ') for line in done.out.splitlines() if line.startswith('|'))
    assert head == ['checkpoint', 'samples', 'at objects, as it is', 'linear', 'elsewhere, as it is', 'linear']
    assert rows[0] == ['same.pth', '4', '1.000', '1.000', '1.000', '1.000']
    assert rows[1][0] == 'turned.pth' and float(rows[1][2]) < 0 and float(rows[1][3]) == pytest.approx(1, abs=0.01)
    assert rows[2][0] == 'other.pth' and float(rows[2][4]) < 0 and float(rows[2][5]) < 0.3


def test_errors_are_one_line(agree: Run) -> None:
    for words, said in (
        (['absent.pth'], 'no checkpoint'),
        (['same.pth', '--num', 1], 'expected two samples or more'),
        (['same.pth', '--token', 't1', 't9'], 'no sample t9'),
        (['same.pth', '--cfg-options', 'model.sensr=img'], 'model.sensor'),
    ):
        done = agree(*words)
        assert done.code != 0
        last = done.err.strip().splitlines()[-1]
        assert last.startswith('bevdistill agree: error: ') and said in last, done.err
