"""Where configs are: in a checkout, or in an installed package."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bevdistill.engine import shipped
from bevdistill.engine.shipped import config_path, find_projects, package_name, shipped_namesakes, shipped_root

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package in its place, with configs below ``.mim``; returns that folder."""
    package = tmp_path / 'site-packages' / 'bevdistill'
    root = package / '.mim'
    for name in ('_base_/base.py', 'a/one.py', 'b/one.py', 'b/two.py'):
        (root / 'configs' / name).parent.mkdir(parents=True, exist_ok=True)
        (root / 'configs' / name).touch()
    monkeypatch.setattr(shipped, '_PACKAGE', package)
    return root


def test_the_checkout_is_found() -> None:
    assert shipped_root() == REPO
    assert config_path('bevdistill::synthetic/a.py') == REPO / 'configs/synthetic/a.py'
    assert config_path('a/b.py') == Path('a/b.py') and config_path(Path('c.py')) == Path('c.py')
    assert package_name(REPO / 'configs' / 'a.py') is None, 'files of a checkout have their own names'


def test_an_installed_package_has_its_own_names(installed: Path, tmp_path: Path) -> None:
    assert shipped_root() == installed
    assert package_name(installed / 'configs' / 'a' / 'one.py') == 'bevdistill::a/one.py'
    assert package_name(installed / 'projects' / 'x' / 'a.py') == 'bevdistill::../projects/x/a.py'
    assert package_name(tmp_path / 'mine.py') is None
    assert config_path('bevdistill::../projects/x/a.py') == installed / 'configs/../projects/x/a.py'


def test_a_checkout_goes_before_what_is_installed(installed: Path) -> None:
    beside = installed.parents[1] / 'configs' / '_base_'
    beside.mkdir(parents=True)
    assert shipped_root() == installed.parents[1]


def test_namesakes_by_file_name(installed: Path) -> None:
    (installed / 'configs' / 'c' / 'one.py').mkdir(parents=True)
    for name in ('one', 'one.py'):
        assert shipped_namesakes(name) == ['bevdistill::a/one.py', 'bevdistill::b/one.py']
    assert shipped_namesakes('three.py') == shipped_namesakes('on') == []


def test_a_package_without_configs_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, '_PACKAGE', tmp_path / 'bevdistill')
    with pytest.raises(FileNotFoundError, match=r'no configs beside .*bevdistill nor in it; install the wheel again'):
        shipped_root()


@pytest.mark.parametrize(('known', 'added'), [(True, False), (False, True)])
def test_projects_come_last_on_the_path_and_once(
    known: bool, added: bool, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, 'path', ['first'])
    monkeypatch.setattr(shipped, 'find_spec', lambda name: 'found' if known else None)
    for _ in range(2):
        find_projects()
    assert sys.path == ['first', *([str(installed)] if added else [])]
