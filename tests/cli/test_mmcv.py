"""``bevdistill mmcv``: what it has the build do, and what it says."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_runs import Run

from bevdistill.cli import mmcv


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """What the installation was called with; a first entry put there is what it returns, None a build that fails."""
    calls: list[Any] = []

    def install(run: Any, *arguments: Any) -> bool:
        outcome = calls.pop() if calls else True
        calls.extend(arguments)
        code = f'import os; print(os.environ["WORD"]); raise SystemExit({outcome is None})'
        run('building mmcv', sys.executable, '-c', code, WORD='file.cpp:1: error')
        return bool(outcome)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(mmcv, 'install_mmcv', install)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    yield calls
    signal.signal(signal.SIGTERM, before)


def test_it_is_compiled_for_this_interpreter_with_tools_of_its_own(given: list[Any], run: Run, tmp_path: Path) -> None:
    done = run('mmcv')
    python, pin, cache, tools = given
    assert (done.code, done.out) == (0, f'mmcv is installed with its operators, in {sys.prefix}\n')
    assert (python, cache) == (Path(sys.executable), tmp_path / 'bevdistill')
    assert pin.split()[0] == 'mmcv==2.1.0'
    assert [line.split('==')[0] for line in tools.splitlines() if '==' in line] == ['setuptools', 'wheel', 'ninja']
    assert '--hash=sha256:' in pin
    assert (cache / 'logs' / 'building-mmcv.log').read_text() == 'file.cpp:1: error\n'


def test_it_is_left_where_it_is_there(given: list[Any], run: Run) -> None:
    given.append(False)
    assert run('mmcv').out == f'mmcv is there with its operators, in {sys.prefix}\n'


def test_failure_shows_the_end_of_the_log_above_one_line(given: list[Any], run: Run, tmp_path: Path) -> None:
    given.append(None)
    done = run('mmcv')
    assert (done.code, done.out) == (1, '')
    assert done.err == (
        'file.cpp:1: error\nbevdistill mmcv: error: building mmcv failed: see its log. Mend it, then run the same '
        f'command again; the log is {tmp_path}/bevdistill/logs/building-mmcv.log\n')


def test_environment_without_pip(given: list[Any], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mmcv, 'find_spec', lambda name: None)
    assert run('mmcv').error == (
        f'bevdistill mmcv: error: there is no pip in {sys.prefix}. With uv: "uv pip install pip"; then run it again')
    assert given == []
