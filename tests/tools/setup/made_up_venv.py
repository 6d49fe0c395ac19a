"""A checkout's environment that is only made up, and commands that are only noted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bevdistill.cli.process import SetupError
from tools.setup import environment
from tools.setup.environment import Venv

LOCK = '''# via make lock
mmcv==2.1.0 \\
    --hash=sha256:0
six==1.17.0 ; sys_platform == 'linux' \\
    --hash=sha256:1 \\
    --hash=sha256:2
    # via mmcv
uv==0.13.9 \\
    --hash=sha256:3
'''
PROJECT = '[project]\nname = "bevdistill"\n[tool.ruff]\nline-length = 120\n'


@pytest.fixture
def venv(tmp_path: Path) -> Venv:
    """A checkout's made-up ``.venv`` that has all pins."""
    repo = tmp_path / 'repo'
    (repo / 'requirements').mkdir(parents=True)
    (repo / 'requirements' / 'lock.txt').write_text(LOCK)
    (repo / 'requirements' / 'lock.in').write_text('torch==2.13.0  # without hashes\nmmcv==2.1.0\n')
    (repo / 'pyproject.toml').write_text(PROJECT)
    venv = Venv(repo, tmp_path / 'cache')
    (venv.folder / 'lib' / 'python3.11' / 'site-packages').mkdir(parents=True)
    for name in ('torch-2.13.0+cpu', 'mmcv-2.1.0', 'six-1.17.0', 'uv-0.13.9'):
        (venv.site / f'{name}.dist-info').mkdir(parents=True)
        (venv.site / f'{name}.dist-info' / 'RECORD').touch()
    venv.python.parent.mkdir()
    venv.python.write_text('#!/bin/sh\necho 3.11\n')
    venv.python.chmod(0o755)
    (venv.folder / 'bin' / 'activate').write_text(f'VIRTUAL_ENV={venv.folder}\n')
    venv.stamp.write_text('\n'.join([venv.key, *venv.installed()]))
    return venv


class Commands:
    """Takes the place of running commands: remembers them, and fails those that it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.failing: dict[str, int] = {}
        self.done: list[str] = []
        self.words: dict[str, list[str]] = {}
        monkeypatch.setattr(environment, 'run', self)
        monkeypatch.setattr(environment, 'install_mmcv', lambda run, python, pin, cache: self.done.append(pin[:11]))

    def __call__(self, what: str, command: list[Any], log: Path, hold: int, **env: str) -> None:
        self.done.append(what)
        self.env = env
        self.words[what] = [str(word) for word in command]
        if self.failing.get(what):
            self.failing[what] -= 1
            raise SetupError(f'{what} failed', 'Mend it')


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    return Commands(monkeypatch)
