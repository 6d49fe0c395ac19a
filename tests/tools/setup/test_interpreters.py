"""Which interpreter set-up takes, and what it says of the others. No network."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

import pytest
from setup_parts import REPO, SetupError, cli, fake_interpreter, interpreters, pins
from setup_parts import venv as venv_tool


def test_wrong_python(tmp_path: Path) -> None:
    old = fake_interpreter(tmp_path / 'python3', python='3.9.2')
    other = fake_interpreter(tmp_path / 'pypy', implementation='pypy')
    with pytest.raises(SetupError, match=r'CPython 3\.11 is needed.*cpython 3\.9\.2; .*pypy 3\.11\.7\. Install it, or '
                                         r'name one: make PYTHON='):
        interpreters.find_base(None, [old, other])
    with pytest.raises(SetupError, match=r'3\.9\.2'):
        interpreters.find_base(old, [Path(sys.executable)])


def test_python_without_venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreters, 'has_venv', lambda path: False)
    with pytest.raises(SetupError, match=r'lacks the modules venv and ensurepip .*python3\.11-venv'):
        interpreters.find_base(None, [fake_interpreter(tmp_path / 'python3')])


def test_named_python_that_is_none() -> None:
    with pytest.raises(SetupError, match=r'PYTHON=/no/such/python is no program\. Give the path'):
        cli.locate('/no/such/python')


def fitting_packages(extras: tuple[str, ...] = ()) -> dict[str, str]:
    lock = pins.read_lock(REPO / 'requirements' / 'lock.txt')
    return {name: lock[name] for name in pins.read_ranges(REPO / 'setup.py', extras) if name != 'python'}


@pytest.fixture
def untouched_venv(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for ``.venv``: what set-up would fall back to."""
    monkeypatch.setattr(venv_tool.Venv, 'ensure', lambda self, explicit, candidates: Path('fallback'))
    return Path('fallback')


def choose(tmp_path: Path, named: str = '', active: Path | None = None, extras: tuple[str, ...] = ()) -> Path:
    env = {'VIRTUAL_ENV': str(active.parent.parent)} if active else {}
    return cli.choose(REPO, named, extras, env, tmp_path / 'cache')


@pytest.mark.usefixtures('untouched_venv')
def test_fitting_environment_is_used_as_it_is(tmp_path: Path) -> None:
    ready = fake_interpreter(tmp_path / 'env' / 'bin' / 'python', packages=fitting_packages(), ops={'state': 'ok'})
    assert choose(tmp_path, active=ready) == ready
    assert choose(tmp_path, named=str(ready)) == ready


@pytest.mark.parametrize(('state', 'message'), [
    ('no ops', r'mmcv has no compiled operators in .*No module named .*mim install mmcv==2\.1\.0'),
    ('other torch', r'mmcv was built for another torch.*Build it for this one'),
    ('no torch', r'torch does not import'),
])
def test_environment_whose_mmcv_does_not_work(
        tmp_path: Path, untouched_venv: Path, capsys: pytest.CaptureFixture[str], state: str, message: str) -> None:
    ops = {'state': state, 'detail': "No module named 'mmcv._ext'"}
    broken = fake_interpreter(tmp_path / 'env' / 'bin' / 'python', packages=fitting_packages(), ops=ops)
    with pytest.raises(SetupError, match=message):
        choose(tmp_path, named=str(broken))
    assert choose(tmp_path, active=broken) == untouched_venv
    said = capsys.readouterr().err.strip()
    assert '\n' not in said
    assert re.search('is not used as it is: .*' + message, said)


def test_named_environment_with_misfits_is_an_error_that_lists_them_all(tmp_path: Path) -> None:
    packages = fitting_packages() | {'mmcv': '2.2.0'}
    del packages['numba']
    other = fake_interpreter(tmp_path / 'env' / 'bin' / 'python', packages=packages)
    with pytest.raises(SetupError, match=r'lacks what .* needs: mmcv 2\.2\.0 instead of >=2\.1\.0,<2\.2\.0, no numba'):
        choose(tmp_path, named=str(other))


def test_active_environment_without_torch_gives_way_in_one_line(
        tmp_path: Path, untouched_venv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = fake_interpreter(tmp_path / 'env' / 'bin' / 'python', packages={'numpy': '1.26.4'})
    assert choose(tmp_path, active=plain) == untouched_venv
    assert choose(tmp_path, named=str(plain)) == untouched_venv
    first, second = capsys.readouterr().err.strip().splitlines()
    assert re.search(r'active environment .* not used as it is: no torch, no mmengine, no mmcv, no mmdet and \d', first)
    assert 'PYTHON=' in second


def test_extras_count_only_where_they_are_needed(tmp_path: Path, untouched_venv: Path) -> None:
    ready = fake_interpreter(tmp_path / 'env' / 'bin' / 'python', packages=fitting_packages(), ops={'state': 'ok'})
    assert choose(tmp_path, active=ready) == ready
    assert choose(tmp_path, active=ready, extras=('lint',)) == untouched_venv


@pytest.mark.usefixtures('untouched_venv')
def test_operators_are_imported_once_until_something_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(interpreters, 'inspect', lambda path, ops=False: asked.append(ops) or real(path, ops))
    real = cli.inspect
    python = tmp_path / 'env' / 'bin' / 'python'
    for size, expected in ((1, 1), (1, 1), (2, 2)):
        fake_interpreter(python, packages=fitting_packages(), ops={'state': 'ok'}, marks=[['mmcv', '_ext.so', size, 0]])
        assert choose(tmp_path, active=python) == python
        assert asked.count(True) == expected


def test_probe_tells_this_environment() -> None:
    found = interpreters.inspect(Path(sys.executable))
    assert found.python.startswith('3.11.')
    assert found.packages['torch'] == metadata.version('torch')
    assert {mark[0] for mark in found.marks} == {'torch', 'mmcv'}
