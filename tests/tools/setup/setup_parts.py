"""tools/setup as modules, and a made-up interpreter."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

REPO = Path(__file__).resolve().parents[3]



def load(name: str) -> ModuleType:
    """A module of the folder tools/setup, as part of a package of another name: ``setup`` may be something else."""
    if 'setup_tool' not in sys.modules:
        folder = REPO / 'tools' / 'setup'
        spec = importlib.util.spec_from_file_location('setup_tool', folder / '__init__.py',
                                                      submodule_search_locations=[str(folder)])
        assert spec and spec.loader
        sys.modules['setup_tool'] = importlib.util.module_from_spec(spec)
    return importlib.import_module(f'setup_tool.{name}')


cli, interpreters, machine, messages = load('cli'), load('interpreters'), load('machine'), load('messages')
mmcv_wheel, pins, process, venv = load('mmcv_wheel'), load('pins'), load('process'), load('venv')
SetupError = messages.SetupError


def fake_interpreter(path: Path, **facts: Any) -> Path:
    """An executable that answers `probe.py` with made-up facts."""
    report = {'python': '3.11.7', 'implementation': 'cpython', 'prefix': str(path.parent.parent), 'packages': {},
              'marks': [], **facts}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(report)}\nEND\n")
    path.chmod(0o755)
    return path
