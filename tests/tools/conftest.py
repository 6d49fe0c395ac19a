"""Tools as commands, in this process: importing the stack once is enough."""

from __future__ import annotations

import importlib.util
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = Path(__file__).resolve().parents[2] / 'tools'

RunTool = Callable[..., object]
LoadTool = Callable[[str], ModuleType]


@pytest.fixture
def run_tool(monkeypatch: pytest.MonkeyPatch) -> RunTool:
    """``run_tool('train.py', *words)`` runs a tool and returns what it exits with: 0, or the line that it says."""

    def run(name: str, *words: object) -> object:
        monkeypatch.setattr(sys, 'argv', [name, *map(str, words)])
        monkeypatch.setattr(sys, 'path', list(sys.path))
        try:
            runpy.run_path(str(TOOLS / name), run_name='__main__')
        except SystemExit as end:
            return end.code or 0
        return 0

    return run


@pytest.fixture(scope='session')
def load_tool() -> LoadTool:
    """``load_tool('analysis_tools/describe.py')`` imports a tool as a module."""

    def load(name: str) -> ModuleType:
        path = TOOLS / name
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def toy_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, from which configs can import tests/toy_run.py."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(TOOLS.parent / 'tests')
    return tmp_path
