"""What runs and people leave in a checkout changes no check: linters and house rules see tracked files alone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
FAULTY = 'import sys,os\nfrom nowhere import *\n\n\ndef f( ):\n  return undefined\n'
# `demo` once was a run's folder and a module; `compare` and `describe` are modules that tests import.
RUN_FOLDERS = ('demo', 'data', 'work_dirs', 'checkpoints')
STRAY = ('stray.py', 'compare/__init__.py', 'describe/notes.py', 'notes.md', 'tmp.json')


@pytest.fixture(scope='module')
def littered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of all tracked files as a repository, with folders of runs and stray files in it."""
    listed = subprocess.run(['git', 'ls-files', '-z'], cwd=REPO, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip('not a git checkout')
    tree = tmp_path_factory.mktemp('checkout')
    for name in filter(None, listed.stdout.split('\0')):
        if (REPO / name).exists():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPO / name, tree / name, follow_symlinks=False)
    subprocess.run(['git', 'init', '--quiet'], cwd=tree, check=True)
    subprocess.run(['git', 'add', '--all', '--force'], cwd=tree, check=True)
    for name in [*(f'{folder}/{file}' for folder in RUN_FOLDERS for file in ('__init__.py', 'config.py')), *STRAY]:
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_text(FAULTY)
    return tree


def test_linter_of_the_makefile_sees_tracked_files_alone(littered: Path) -> None:
    makefile = (REPO / 'Makefile').read_text()
    ruff = re.search(r'^ruff = (.* ruff check)$', makefile, flags=re.MULTILINE).group(1)
    command = ruff.replace('$$py', sys.executable)
    done = subprocess.run(command, shell=True, cwd=littered, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    (littered / 'tools' / 'setup' / 'probe.py').write_text(FAULTY)
    done = subprocess.run(command, shell=True, cwd=littered, capture_output=True, text=True)
    shutil.copy(REPO / 'tools' / 'setup' / 'probe.py', littered / 'tools' / 'setup' / 'probe.py')
    assert done.returncode, 'a fault in a tracked file is seen'
    assert 'stray' not in done.stdout


def test_names_of_folders_do_not_sort_imports(littered: Path) -> None:
    """Only what pyproject.toml lists is first-party, whatever lies in the checkout."""
    code = 'import compare\nimport torch\n\nfrom bevdistill.structures import BEVGrid\n'
    command = [sys.executable, '-m', 'ruff', 'check', '--select', 'I', '--stdin-filename', 'tests/test_new.py', '-']
    done = subprocess.run(command, cwd=littered, input=code, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_house_rules_pass(littered: Path) -> None:
    environment = {**os.environ, 'PYTHONPATH': str(littered)}
    command = [sys.executable, '-m', 'pytest', '-q', '--noconftest', '-p', 'no:cacheprovider', 'tests/test_layout.py']
    done = subprocess.run(command, cwd=littered, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    assert ' passed' in done.stdout


def test_folders_of_runs_are_no_change_of_the_repository(littered: Path) -> None:
    seen = subprocess.run(['git', 'status', '--porcelain', '--untracked-files=all'], cwd=littered, capture_output=True,
                          text=True, check=True).stdout
    assert not [folder for folder in RUN_FOLDERS if f' {folder}/' in seen]
    assert '?? stray.py' in seen
