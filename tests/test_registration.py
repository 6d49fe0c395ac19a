"""mmdet3d's registries find every class of the package, whichever is imported first."""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from forked import forget, in_fork
from mmdet3d.registry import HOOKS

from bevdistill import registration

REPO = Path(__file__).resolve().parents[1]

ASK = """
import json, sys
heavy = sorted({'torch', 'numpy', 'mmengine', 'mmdet3d'} & set(sys.modules))
from mmengine.config import Config
cfg = Config.fromfile('config.py')
waiting = [type(finder).__name__ for finder in sys.meta_path if type(finder).__module__.startswith('bevdistill')]
from mmengine.registry import DefaultScope, HOOKS, MODELS
import mmdet3d.registry
left = [type(finder).__name__ for finder in sys.meta_path if type(finder).__module__.startswith('bevdistill')]
loaded = 'bevdistill.losses' in sys.modules
missing = [
    [name, entry] for name, entries in json.loads(sys.argv[1]).items() for entry in entries
    if getattr(mmdet3d.registry, name).get(entry) is None
]
with_scope = HOOKS.build(dict(type='FiniteLossHook', _scope_='mmdet3d'))
print(json.dumps([heavy, waiting, left, loaded, missing, type(with_scope).__name__]))
"""


def registered() -> dict[str, list[str]]:
    """Classes of the package by the registry that decorates them."""
    found: dict[str, list[str]] = {}
    for path in sorted((REPO / 'bevdistill').rglob('*.py')):
        for node in ast.walk(ast.parse(path.read_text())):
            for decorator in getattr(node, 'decorator_list', []):
                registry, _, method = ast.unparse(decorator).partition('.')
                if method == 'register_module()':
                    found.setdefault(registry, []).append(node.name)
    return found


def write_config(folder: Path) -> None:
    (folder / 'config.py').write_text(
        "default_scope = 'mmdet3d'\ncustom_imports = dict(imports=['bevdistill'], allow_failed_imports=False)\n"
    )


def ask(folder: Path) -> list[object]:
    """Import the package first, in a fresh interpreter."""
    write_config(folder)
    command = [sys.executable, '-c', f'import sys\nsys.path.insert(0, {str(REPO)!r})\nimport bevdistill\n{ASK}']
    done = subprocess.run([*command, json.dumps(registered())], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def ask_later(folder: str) -> list[object]:
    """Import the package into a process that has asked the registries already; for a fork."""
    forget('bevdistill')
    assert HOOKS.get('Det3DVisualizationHook') is not None
    assert HOOKS.get('FiniteLossHook') is None
    sys.path.insert(0, str(REPO))
    sys.argv = ['', json.dumps(registered())]
    os.chdir(folder)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(ASK, 'ask', 'exec'), {})
    return json.loads(out.getvalue().splitlines()[-1])


def test_every_class_has_a_registry_with_locations() -> None:
    assert set(registered()) == set(registration.LOCATIONS)
    assert sum(map(len, registered().values())) > 50


def test_every_location_is_a_module() -> None:
    for modules in registration.LOCATIONS.values():
        for module in modules:
            path = REPO / 'bevdistill' / module.replace('.', '/')
            assert path.with_suffix('.py').is_file() or (path / '__init__.py').is_file(), module


def test_the_package_before_mmengine(tmp_path: Path) -> None:
    heavy, waiting, left, loaded, missing, hook = ask(tmp_path)
    assert heavy == [], 'importing the package imports nothing heavy'
    assert (waiting, left) == (['_WaitForRegistries'], [])
    assert loaded is False
    assert missing == []
    assert hook == 'FiniteLossHook'


def test_mmdet3d_before_the_package_and_asked_already(tmp_path: Path) -> None:
    write_config(tmp_path)
    _, waiting, left, _, missing, hook = in_fork(ask_later, str(tmp_path))
    assert (waiting, left, missing, hook) == ([], [], [], 'FiniteLossHook')


def test_a_registry_that_was_asked_already_looks_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / 'late_sample'
    folder.mkdir()
    (folder / '__init__.py').write_text(
        "from mmengine.registry import Registry\n\nLATE = Registry('late', scope='late_scope')\n"
    )
    (folder / 'room.py').write_text('from . import LATE\n\n\n@LATE.register_module()\nclass Late: ...\n')
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module('late_sample')
    assert module.LATE.get('Late') is None
    monkeypatch.setattr(registration, 'PACKAGE', 'late_sample')
    monkeypatch.setattr(registration, 'LOCATIONS', {'LATE': ('room',)})
    registration._add_locations(module)
    assert module.LATE.get('Late').__name__ == 'Late'


def test_all_at_once() -> None:
    registration.register_all()
    for modules in registration.LOCATIONS.values():
        assert all(f'bevdistill.{module}' in sys.modules for module in modules)
