"""Commands that set-up runs, and their logs."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from setup_parts import SetupError, process
from setup_parts import venv as venv_tool


@pytest.mark.parametrize(('output', 'message'), [
    ('OSError: [Errno 28] No space left on device', r'failed: no disk space is left\. Free about 4 GB'),
    ('NewConnectionError: Temporary failure in name resolution\nERROR: No matching distribution found for torch',
     r'failed: pip could not get the packages\. Check the network'),
    ('fatal error: Python.h: No such file or directory', r"CPython's headers are missing.*python3\.11-dev"),
    ('c++: internal compiler error: Killed', r'ran out of memory.*MAX_JOBS=1'),
    ('something new', r'installing torch failed\. The whole log is .*torch\.log'),
])
def test_failed_command_says_why_and_shows_the_end_of_its_log(tmp_path: Path, output: str, message: str) -> None:
    log = tmp_path / 'torch.log'
    job = process.Job('installing torch', [sys.executable, '-c', f'print({output!r}); raise SystemExit(1)'], log)
    with pytest.raises(SetupError, match=message) as caught:
        process.run(job)
    assert output.splitlines()[-1] in caught.value.excerpt
    assert str(log) in str(caught.value)
    assert '\n' not in str(caught.value)


def test_failure_stops_the_job_beside_it(tmp_path: Path) -> None:
    begin = time.monotonic()
    slow = process.Job('slow', ['sh', '-c', 'sleep 60 & wait'], tmp_path / 'slow.log')
    bad = process.Job('bad', ['false'], tmp_path / 'bad.log')
    with pytest.raises(SetupError, match='bad failed'), process.together() as jobs:
        jobs += [slow, bad]
    assert slow.process.poll() is not None
    assert time.monotonic() - begin < 20


def test_long_commands_give_signs_of_life(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(process, 'HEARTBEAT', 0.2)
    process.run(process.Job('building', ['sh', '-c', 'echo "[12/77] c++"; sleep 1'], tmp_path / 'log'))
    assert 'still building, 12 of 77 files' in capsys.readouterr().err


def test_interruption_stops_what_was_started(tmp_path: Path) -> None:
    job = process.Job('slow', ['sleep', '60'], tmp_path / 'log')

    def interrupted() -> None:
        with process.together() as jobs:
            jobs.append(job)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert job.process.poll() is not None


def test_lock_outlives_a_killed_set_up_as_long_as_its_command(tmp_path: Path) -> None:
    import fcntl

    with venv_tool.exclusive(tmp_path) as hold:
        job = process.Job('pip', ['sleep', '60'], tmp_path / 'log', hold=(hold,))
    descriptor = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    job.stop()
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)
