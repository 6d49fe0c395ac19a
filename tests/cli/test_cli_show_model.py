"""`show model` with toy models: pages of a pair, and errors, through the script of the old name."""

import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from cli_runs import Done, Run
from mmengine.registry import DefaultScope
from toy_viewers import write_viewer_configs

REPO = Path(__file__).resolve().parents[2]
TOOL = REPO / 'tools' / 'analysis_tools' / 'visualize.py'


@pytest.fixture(scope='module')
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with camera.py, lidar.py and weights for both."""
    folder = tmp_path_factory.mktemp('models')
    weights = dict(state_dict=dict(bev=torch.randn(4, 10, 40)), meta={})
    torch.save(weights, folder / 'weights.pth')
    write_viewer_configs(folder)
    return folder


@pytest.fixture
def visualize(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """``visualize(*words)`` runs the script of the old name."""
    monkeypatch.syspath_prepend(REPO / 'tests' / 'visualization')

    def call(*words: object) -> Done:
        monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, words)])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(TOOL), run_name='__main__')
        return Done(int(end.value.code or 0), *capsys.readouterr())

    yield call
    DefaultScope._instance_dict.clear()


def test_pair_of_models(models: Path, tmp_path: Path, visualize: Run) -> None:
    weights = models / 'weights.pth'
    beside = ('--teacher', models / 'lidar.py', weights, '--beside', 'another', models / 'camera.py', weights)
    done = visualize(models / 'camera.py', weights, *beside, '--out', tmp_path, '--num', 2, '--title', 'a student')
    assert done.code == 0, done.err
    assert sorted(path.name for path in tmp_path.glob('*.png')) == [
        '00001_t1.png', '00001_t1_beside.png', '00003_t3.png', '00003_t3_beside.png'
    ]  # fmt: skip
    assert done.out.count('saved') == 5
    index = (tmp_path / 'index.html').read_text()
    assert 'a student · sample t1 · 1 of 1 found, 0 false' in index
    assert 'another | a student · sample t3' in index
    every = ('--interval', 2, '--score-thr', 0.95, '--out', tmp_path / 'every')
    assert visualize(models / 'camera.py', weights, *every).code == 0
    assert 'sample t2 · 0 of 1 found, 0 false' in (tmp_path / 'every' / 'index.html').read_text()
    assert sorted(path.name for path in (tmp_path / 'every').glob('*.png')) == ['00000_t0.png', '00002_t2.png']


def test_errors_are_one_line(models: Path, tmp_path: Path, visualize: Run) -> None:
    failed = visualize(models / 'camera.py', models / 'absent.pth', '--out', tmp_path)
    assert failed.code != 0
    assert failed.err.strip().splitlines()[-1].startswith('visualize.py: error: no checkpoint')
    assert 'Traceback' not in failed.err
    wrong = visualize(models / 'camera.py', models / 'weights.pth', '--out', tmp_path, '--score-thr', 2)
    assert (wrong.code, 'must lie in [0, 1], got 2' in wrong.err) == (2, True)
