"""Commands of set-up with their output in a log, errors of one line, progress on standard error. No other libraries."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

HEARTBEAT = 30.0  # seconds between signs of life
REMEDIES = (
    (r'No space left on device|Errno 28', 'no disk space is left', 'Free about 4 GB (temporary folder and caches too)'),
    (r'Python\.h: No such file', "CPython's headers are missing (Python.h)",
     'Install them (Debian, Ubuntu: apt-get install python3-dev)'),
    (r'ensurepip is not available|No module named (ensurepip|venv)', 'it lacks the modules venv and ensurepip',
     'Install them (Debian, Ubuntu: apt-get install python3-venv)'),
    (r'Cannot allocate memory|out of memory|Killed signal terminated|internal compiler error',
     'the compiler ran out of memory', 'Put MAX_JOBS=1 in front of the command'),
    (r'(?i)do not match the hashes', 'a file is not the one that requirements/lock.txt names',
     'Run "pip cache purge"; if it stays, the package index serves another file'),
    (r'name resolution|Max retries exceeded|NewConnectionError|Failed to establish|timed out|Connection (reset|refused)'
     r'|No matching distribution|Could not find a version',
     'pip could not get the packages', "Check the network, or pip's index and proxy settings (pip config list)"),
)


class SetupError(ValueError):
    """A problem and its remedy in one line; ``excerpt``: lines of a log worth seeing above it."""

    def __init__(self, problem: str, remedy: str, excerpt: str = '') -> None:
        super().__init__(f'{problem}. {remedy}')
        self.excerpt = excerpt


def say(text: str, excerpt: str = '') -> None:
    """Print a line, an excerpt above it, on standard error; standard output is kept for the interpreter's path."""
    print(f'{excerpt}set-up: {text}', file=sys.stderr, flush=True)


def run(what: str, command: Sequence[str | Path], log: Path, hold: int, **env: str) -> None:
    """Run a command with its output in a log, ended with all that it started when set-up is; it holds set-up's lock."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open('w', encoding='utf-8') as output:
        process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            env={**os.environ, 'PIP_USER': '0', **env}, start_new_session=True, pass_fds=(hold,))
    begin = time.monotonic()
    try:
        while process.poll() is None:
            try:
                process.wait(HEARTBEAT)
            except subprocess.TimeoutExpired:
                count = re.findall(r'\[\d+/\d+\]', log.read_text(encoding='utf-8', errors='replace'))[-1:]
                say(f'  still {" ".join([what, *count])} ({time.monotonic() - begin:.0f} s)')
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # SIGTERM may be ignored, as it is in some shells
            process.wait()
    if process.returncode:
        text = log.read_text(encoding='utf-8', errors='replace')
        cause, remedy = next((known[1:] for known in REMEDIES if re.search(known[0], text)), ('see its log', 'Mend it'))
        raise SetupError(f'{what} failed: {cause}', f'{remedy}, then run the same command again; the log is {log}',
                         '\n'.join([*text.splitlines()[-15:], '']))


def ask(*command: str | Path) -> str:
    """Run a command and return the last line that it prints; empty if there is none."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    except (OSError, subprocess.TimeoutExpired):
        return ''
    return done.stdout.strip().rpartition('\n')[2]
