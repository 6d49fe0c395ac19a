"""Names of a package that are imported when they are used."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

INIT = """
from typing import TYPE_CHECKING

from bevdistill.lazy import lazy_names

if TYPE_CHECKING:
    from . import room
    from .made.things import Thing, other

__all__ = ['Thing', 'other', 'room']

__getattr__ = lazy_names(__name__)
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / 'lazy_sample'
    (folder / 'made').mkdir(parents=True)
    (folder / '__init__.py').write_text(INIT)
    (folder / 'room.py').write_text('size = 3\n')
    (folder / 'made' / '__init__.py').touch()
    (folder / 'made' / 'things.py').write_text('class Thing: ...\n\n\nother = Thing()\n')
    monkeypatch.syspath_prepend(tmp_path)
    yield 'lazy_sample'
    for name in [name for name in sys.modules if name.partition('.')[0] == 'lazy_sample']:
        del sys.modules[name]


def test_names_are_imported_when_they_are_used(package: str) -> None:
    module = importlib.import_module(package)
    assert 'lazy_sample.made.things' not in sys.modules
    assert module.Thing is sys.modules['lazy_sample.made.things'].Thing
    assert 'Thing' in vars(module), 'found directly from then on'
    assert 'lazy_sample.room' not in sys.modules
    assert module.room.size == 3


def test_from_imports_and_stars(package: str) -> None:
    names: dict[str, object] = {}
    exec('from lazy_sample import Thing, room\nfrom lazy_sample import *', names)
    assert {'Thing', 'other', 'room'} <= set(names)


def test_an_unknown_name_is_an_attribute_error(package: str) -> None:
    module = importlib.import_module(package)
    with pytest.raises(AttributeError, match=r"module 'lazy_sample' has no attribute 'absent'"):
        _ = module.absent
    with pytest.raises(ImportError, match='absent'):
        exec('from lazy_sample import absent')


@pytest.mark.parametrize('room', ['', '.checkpoints', '.datasets', '.engine'])
def test_all_names_of_our_lazy_packages_are_there(room: str) -> None:
    module = importlib.import_module(f'bevdistill{room}')
    missing = [name for name in module.__all__ if not hasattr(module, name)]
    assert missing == []
