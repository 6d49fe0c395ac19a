"""The command, the Makefile and what CI runs."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from setup_parts import REPO, cli


def test_error_is_one_line_and_the_status_tells(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(['--python', '/no/such/python']) == 1
    out, err = capfd.readouterr()
    assert out == ''
    assert re.fullmatch(r'set-up: error: PYTHON=/no/such/python is no program\. [^\n]+\n', err)


def test_make_help_lists_every_target() -> None:
    makefile = (REPO / 'Makefile').read_text()
    targets = set(re.search(r'^\.PHONY: (.+)$', makefile, flags=re.MULTILINE).group(1).split())
    # Under `make test` this is a make within a make, which would announce the directories that it enters and leaves.
    command = ['make', '--no-print-directory', 'help']
    shown = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True).stdout
    assert {line.split()[1] for line in shown.splitlines() if line.strip()} == targets
    assert {'demo', 'test', 'lint'} <= targets


def test_ci_runs_the_readme_command() -> None:
    script = REPO / '.ci' / 'run'
    assert os.access(script, os.X_OK)
    assert script.read_text().strip().endswith('exec make test')
    assert 'make test' in (REPO / 'README.md').read_text()
