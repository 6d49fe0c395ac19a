"""Commands that set-up runs, and their logs."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bevdistill.cli import process
from bevdistill.cli.process import SetupError, run

REPO = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(('output', 'message'), [
    ('OSError: [Errno 28] No space left on device', r'failed: no disk space is left\. Free about 4 GB'),
    ('NewConnectionError: Temporary failure in name resolution\nERROR: No matching distribution found for torch',
     r'failed: pip could not get the packages\. Check the network'),
    ('fatal error: Python.h: No such file or directory', r"CPython's headers are missing.*python3-dev"),
    ('c++: internal compiler error: Killed', r'ran out of memory.*MAX_JOBS=1'),
    ('ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE', r'not the one that .*lock\.txt names'),
    ('something new', r'installing torch failed: see its log\. .*torch\.log'),
])
def test_failed_command_says_why_and_shows_the_end_of_its_log(tmp_path: Path, output: str, message: str) -> None:
    log = tmp_path / 'logs' / 'torch.log'
    with pytest.raises(SetupError, match=message) as caught:
        run('installing torch', [sys.executable, '-c', f'print({output!r}); raise SystemExit(1)'], log, 0)
    assert output.splitlines()[-1] in caught.value.excerpt
    assert str(log) in str(caught.value)
    assert '\n' not in str(caught.value)


def test_command_gets_the_variables(tmp_path: Path) -> None:
    run('showing', ['sh', '-c', 'echo $CXX $PIP_USER'], tmp_path / 'log', 0, CXX='clang++')
    assert (tmp_path / 'log').read_text() == 'clang++ 0\n'


def test_long_commands_give_signs_of_life(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(process, 'HEARTBEAT', 0.2)
    run('building', ['sh', '-c', 'echo "[11/77] c++"; echo "[12/77] c++"; sleep 1'], tmp_path / 'log', 0)
    assert 'still building [12/77] (' in capsys.readouterr().err


def running(state: Path) -> bool:
    try:
        return state.read_text().split()[2] != 'Z'
    except FileNotFoundError:
        return False


def test_interruption_stops_all_that_was_started(tmp_path: Path) -> None:
    pids = tmp_path / 'pids'
    command = ['sh', '-c', f'sleep 60 & echo $! > {pids}; wait']
    main = threading.main_thread().ident

    def interrupt() -> None:
        while not (pids.exists() and pids.read_text().strip()):
            time.sleep(0.05)
        signal.pthread_kill(main or 0, signal.SIGINT)

    # Python's own handler: it is not there where tests run as the background job of a shell, which ignores SIGINT.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupt, daemon=True).start()
    begin = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            run('slow', command, tmp_path / 'log', 0)
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - begin < 20
    state = Path('/proc', pids.read_text().strip(), 'stat')
    while running(state) and time.monotonic() - begin < 20:
        time.sleep(0.05)
    assert not running(state), 'the child of the command goes with it'


def test_lock_outlives_a_killed_set_up_as_long_as_its_command(tmp_path: Path) -> None:
    code = ('import fcntl, os; from pathlib import Path; from bevdistill.cli.process import run; '
            f'hold = os.open({str(tmp_path)!r}, os.O_RDONLY); fcntl.flock(hold, fcntl.LOCK_EX); '
            f"run('pip', ['sh', '-c', 'echo $$; exec sleep 60'], Path({str(tmp_path)!r}, 'log'), hold)")
    set_up = subprocess.Popen([sys.executable, '-c', code], cwd=REPO)
    log = tmp_path / 'log'
    deadline = time.monotonic() + 30
    while not (log.exists() and log.read_text().endswith('\n')) and time.monotonic() < deadline:
        time.sleep(0.05)
    set_up.kill()
    set_up.wait()
    descriptor = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.kill(int(log.read_text()), signal.SIGKILL)
    fcntl.flock(descriptor, fcntl.LOCK_EX)  # would wait for ever
    os.close(descriptor)
