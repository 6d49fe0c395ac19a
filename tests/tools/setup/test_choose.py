"""Which interpreter set-up takes, and what it says of the others. No network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from made_up import AS_PYTHON_39, REPO, fitting_packages, make_interpreter

from bevdistill.cli.process import SetupError
from tools.setup import __main__ as cli
from tools.setup.environment import Venv

OWN = Path('the own environment')


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> list[Path | None]:
    """Bases that ``.venv`` was asked to be made from; nothing is made."""
    bases: list[Path | None] = []
    monkeypatch.setattr(Venv, 'ensure', lambda self, base: bases.append(base) or OWN)
    return bases


def choose(tmp_path: Path, named: object = '', active: Path | None = None, extras: tuple[str, ...] = ()) -> Path:
    env = {'VIRTUAL_ENV': str(active.parent.parent)} if active else {}
    return cli.choose(Venv(REPO, tmp_path / 'cache'), str(named), extras, env)


def test_fitting_environment_is_used_as_it_is(tmp_path: Path) -> None:
    ready = make_interpreter(tmp_path / 'env', fitting_packages())
    assert choose(tmp_path, active=ready) == ready
    assert choose(tmp_path, named=ready) == ready


def test_without_one_there_is_the_own_environment(tmp_path: Path, own_environment: list[Path | None]) -> None:
    assert choose(tmp_path) == OWN
    assert choose(tmp_path, active=tmp_path / 'gone' / 'bin' / 'python') == OWN
    assert choose(tmp_path, active=REPO / '.venv' / 'bin' / 'python') == OWN
    assert own_environment == [None, None, None]


def test_extras_count_only_where_they_are_needed(tmp_path: Path) -> None:
    ready = make_interpreter(tmp_path / 'env', fitting_packages())
    assert choose(tmp_path, active=ready) == ready
    assert choose(tmp_path, active=ready, extras=('lint',)) == OWN
    more = make_interpreter(tmp_path / 'more', fitting_packages('lint', 'test', 'studies'))
    assert choose(tmp_path, active=more, extras=('lint', 'test', 'studies')) == more


@pytest.mark.parametrize(('parts', 'message'), [
    ({'operators': None}, r"mmcv has no compiled operators \(No module named 'mmcv\._ext'\)\. .* -m bevdistill mmcv"),
    ({'operators': "raise ImportError('_ext.so: undefined symbol')"},
     r'mmcv was built for another torch \(_ext\.so: undefined symbol\)\. .* -m bevdistill mmcv'),
    ({'torch': "raise OSError('libcudart.so: cannot open')"}, r'torch does not import \(libcudart\.so: cannot open\)'),
])
def test_environment_whose_mmcv_does_not_work(
        tmp_path: Path, capsys: pytest.CaptureFixture[str], parts: dict[str, str | None], message: str) -> None:
    broken = make_interpreter(tmp_path / 'env', fitting_packages(), **parts)
    with pytest.raises(SetupError, match=message):
        choose(tmp_path, named=broken)
    assert choose(tmp_path, active=broken) == OWN
    said = capsys.readouterr().err.strip()
    assert '\n' not in said
    assert re.search(r'active environment .* is not used as it is: ' + message.partition(r'\. ')[0], said)


def test_named_environment_with_misfits_is_an_error_that_lists_them_all(tmp_path: Path) -> None:
    packages = fitting_packages() | {'mmcv': '2.2.0'}
    del packages['numba']
    other = make_interpreter(tmp_path / 'env', packages)
    with pytest.raises(SetupError, match=r'mmcv 2\.2\.0 instead of <2\.2\.0,>=2\.1\.0, no numba\. Install what fits'):
        choose(tmp_path, named=other)


@pytest.mark.parametrize(('version', 'fits'), [
    ('2.13.0+cpu', True), ('2.4', True), ('2.4.0rc1', False), ('2.3.1', False), ('3.0', False), ('2.14.0.dev1', True)])
def test_versions_compare_as_the_index_does(tmp_path: Path, version: str, fits: bool) -> None:
    python = make_interpreter(tmp_path / 'env', fitting_packages() | {'torch': version})
    assert (choose(tmp_path, active=python) == python) is fits


def test_active_environment_without_torch_gives_way_in_one_line(
        tmp_path: Path, capsys: pytest.CaptureFixture[str], own_environment: list[Path | None]) -> None:
    plain = make_interpreter(tmp_path / 'env', {'numpy': '1.26.4'})
    assert choose(tmp_path, active=plain) == OWN
    assert choose(tmp_path, named=plain) == OWN
    first, second = capsys.readouterr().err.strip().splitlines()
    assert re.search(r'active environment .* not used as it is: no torch, no mmengine, no mmcv, no mmdet and \d', first)
    assert 'PYTHON=' in second
    assert own_environment == [None, plain], 'only a named interpreter is a base'


def test_wrong_python(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = make_interpreter(tmp_path / 'env', fitting_packages(), code=AS_PYTHON_39)
    with pytest.raises(SetupError, match=r'env/bin/python does not do: cpython 3\.9\.2 instead of CPython 3\.11, '):
        choose(tmp_path, named=old)
    assert choose(tmp_path, active=old) == OWN
    assert 'cpython 3.9.2 instead of CPython 3.11' in capsys.readouterr().err


def test_program_that_is_no_python(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for named in ('/no/such/python', 'true'):
        with pytest.raises(SetupError, match=rf'PYTHON=.*{named} does not do: it does not run\. Give the path of'):
            choose(tmp_path, named=named)
    assert choose(tmp_path, active=make_interpreter(tmp_path / 'env', {}, code='raise SystemExit(1)')) == OWN
    assert 'env/bin/python is not used as it is: it does not run' in capsys.readouterr().err


def test_this_environment_fits(tmp_path: Path) -> None:
    venv = Venv(REPO, tmp_path / 'cache')
    venv.python = OWN
    assert cli.choose(venv, sys.executable, ('test', 'lint', 'studies'), {}) == Path(sys.executable)


def test_error_is_one_line_and_the_status_tells(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(['--python', '/no/such/python']) == 1
    out, err = capfd.readouterr()
    assert out == ''
    assert re.fullmatch(r'set-up: error: PYTHON=/no/such/python does not do: [^\n]+\n', err)


def test_make_help_lists_every_target() -> None:
    makefile = (REPO / 'Makefile').read_text()
    targets = set(re.search(r'^\.PHONY: (.+)$', makefile, flags=re.MULTILINE).group(1).split())
    # Under `make test` this is a make within a make, which would announce the directories that it enters and leaves.
    command = ['make', '--no-print-directory', 'help']
    shown = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True).stdout
    assert {line.split()[1] for line in shown.splitlines() if line.strip()} == targets
    assert {'demo', 'test', 'lint'} <= targets


def test_make_without_a_fitting_python(tmp_path: Path) -> None:
    command = [shutil.which('make') or 'make', '--no-print-directory', '-n', 'help']
    old = tmp_path / 'python3'
    old.write_text('#!/bin/sh\nexit 1\n')
    old.chmod(0o755)
    environment = {'PATH': str(tmp_path)}
    done = subprocess.run(command, cwd=REPO, env=environment, capture_output=True, text=True)
    assert done.returncode
    assert re.search(r'set-up: error: no CPython 3\.11, 3\.12 or 3\.13 found\. Install .*uv python', done.stderr)
    uv = tmp_path / 'uv'
    uv.write_text(f'#!/bin/sh\necho {sys.executable}\n')
    uv.chmod(0o755)
    assert subprocess.run(command, cwd=REPO, env=environment, capture_output=True).returncode == 0, "uv's will do"


def test_ci_runs_the_readme_command() -> None:
    script = REPO / '.ci' / 'run'
    assert os.access(script, os.X_OK)
    assert script.read_text().strip().endswith('exec make test')
    assert 'make test' in (REPO / 'README.md').read_text()
