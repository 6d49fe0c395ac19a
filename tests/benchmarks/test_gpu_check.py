"""The GPU check's blocks: states, time-outs, what is kept of a block that is cut off. No block of its own is run."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks import gpu_check
from benchmarks.gpu.block import HOMES, Check

STAND_IN = """#!{python}
import json, sys, time
name, out, device = sys.argv[-3:]
with open(out + '/' + name + '.json', 'w') as file:
    json.dump(dict(summary=name + ' on ' + device, skipped=name == 'waits'), file)
if name == 'steps':
    time.sleep(60)
if name == 'cache':
    print('first line')
    sys.exit('what is wrong')
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in place of the interpreter that runs a block."""
    program = tmp_path / 'python'
    program.write_text(STAND_IN.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setattr(gpu_check.sys, 'executable', str(program))
    monkeypatch.setitem(gpu_check.BLOCKS, 'steps', 6)
    return tmp_path / 'out'


def test_one_line_and_one_entry_for_each_block(stand_in: Path, capsys: pytest.CaptureFixture[str]) -> None:
    failed = gpu_check.main([str(stand_in), '--device', 'cpu', '--only', 'versions', 'steps', 'cache', 'waits'])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[:4]] == [
        ['versions', 'passed'], ['steps', 'timed'], ['cache', 'FAILED'], ['waits', 'skipped']]  # fmt: skip
    assert lines[-1].startswith('2 of 4 blocks passed or skipped')
    assert failed == 2
    results = json.loads((stand_in / 'results.json').read_text())
    assert results['steps']['results']['summary'] == 'steps on cpu', 'found before the time-out'
    assert (stand_in / 'cache.log').read_text().splitlines() == ['first line', 'what is wrong']


def test_a_block_may_end_what_it_started(tmp_path: Path) -> None:
    """torchrun's workers are in groups of their own: only torchrun ends them, if it is asked to by SIGTERM."""
    script = 'trap "touch asked; exit" TERM; touch began; while :; do sleep 0.05; done'
    process = subprocess.Popen(['bash', '-c', script], cwd=tmp_path, start_new_session=True)
    stubborn = 'trap "" TERM; touch second; while :; do sleep 0.05; done'
    other = subprocess.Popen(['bash', '-c', stubborn], cwd=tmp_path, start_new_session=True)
    while not (tmp_path / 'began').exists() or not (tmp_path / 'second').exists():
        time.sleep(0.01)
    for child in (process, other):
        gpu_check.end_group(child, patience=0.5)
    assert (tmp_path / 'asked').exists()
    assert (process.returncode, other.returncode) == (0, -9)


def test_nothing_starts_when_the_time_is_used_up(stand_in: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu_check.main([str(stand_in), '--limit', '1', '--only', 'versions']) == 1
    assert 'timed out' in capsys.readouterr().out
    assert not (stand_in / 'versions.json').exists()


def test_every_block_has_a_home_and_a_limit() -> None:
    assert set(HOMES) == set(gpu_check.BLOCKS)
    for name, home in HOMES.items():
        source = Path(str(import_module('benchmarks.gpu').__file__)).with_name(f'{home}.py').read_text()
        assert f'def {name}(check: Check) -> bool:' in source


def test_results_are_on_disk_at_once(tmp_path: Path) -> None:
    check = Check('steps', tmp_path, 'cpu')
    check.tell('one', rows=1)
    check.tell('two', more=2)
    assert json.loads((tmp_path / 'steps.json').read_text()) == dict(rows=1, more=2, summary='two')
    check.skip('no GPU')
    assert json.loads((tmp_path / 'steps.json').read_text())['skipped'] is True
