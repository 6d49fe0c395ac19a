"""Which interpreters there are, what they have, and whether one already has everything."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .messages import SetupError
from .pins import satisfies

WANTED = '3.11'
ADVICE_OPS = {
    'no torch': ('torch does not import', 'Install a torch that fits this machine, or leave it to set-up: no active '
                 'environment and no PYTHON=..., and .venv is made'),
    'no ops': ('mmcv has no compiled operators', 'Install one that has: "mim install mmcv==2.1.0" (CUDA wheels), or '
               '"MMCV_WITH_OPS=1 pip install --no-cache-dir --no-build-isolation --force-reinstall --no-deps '
               'mmcv==2.1.0"'),
    'other torch': ('mmcv was built for another torch', 'Build it for this one: "MMCV_WITH_OPS=1 pip install '
                    '--no-cache-dir --no-build-isolation --force-reinstall --no-deps --no-binary mmcv mmcv==2.1.0"'),
}


@dataclass(frozen=True)
class Interpreter:
    """What a Python interpreter reported about itself (`probe.py`)."""

    path: Path
    python: str
    implementation: str
    prefix: str
    packages: Mapping[str, str] = field(default_factory=dict)
    marks: tuple = ()
    ops: Mapping[str, str] | None = None


def inspect(path: Path, ops: bool = False) -> Interpreter | None:
    """Ask an interpreter what it has; None if it does not run at all.

    Args:
        path: The interpreter, not resolved: a virtual environment is known by its symbolic link.
        ops: Also import torch and mmcv's operators.
    """
    command = [str(path), str(Path(__file__).with_name('probe.py')), *(['ops'] if ops else [])]
    try:
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
        facts = json.loads(result.stdout.strip().splitlines()[-1])
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired):
        return None
    facts['marks'] = tuple(map(tuple, facts['marks']))
    return Interpreter(path=path, **facts)


def active_environment(env: Mapping[str, str], venv: Path) -> Path | None:
    """Interpreter of the active virtual or conda environment, unless that is the project's own ``.venv``."""
    for variable in ('VIRTUAL_ENV', 'CONDA_PREFIX'):
        prefix = env.get(variable)
        if prefix and Path(prefix).resolve() != venv.resolve():
            python = Path(prefix) / 'bin' / 'python'
            return python if python.exists() else None
    return None


def version_faults(found: Interpreter, ranges: Mapping[str, str]) -> list[str]:
    """Every package (and Python itself) that is missing or outside its range, as short phrases."""
    faults = []
    for name, bounds in ranges.items():
        version = found.python if name == 'python' else found.packages.get(name)
        if version is None:
            faults.append(f'no {name}')
        elif not satisfies(version, bounds):
            faults.append(f'{name} {version} instead of {bounds}')
    return faults


def operator_fault(found: Interpreter, memory: Path) -> SetupError | None:
    """Tell whether mmcv's operators import, at the cost of an import only when something changed since the last time.

    Args:
        found: An interpreter whose versions fit.
        memory: Folder for the remembered outcomes.
    """
    facts = json.dumps([found.python, found.prefix, found.marks, found.packages.get('torch')])
    note = memory / (hashlib.sha256(facts.encode()).hexdigest()[:24] + '.json')
    if note.exists():
        ops = json.loads(note.read_text())
    else:
        checked = inspect(found.path, ops=True)
        ops = checked.ops if checked else {'state': 'no torch', 'detail': 'the interpreter crashed'}
        if ops['state'] != 'no torch':  # that may be put right by a variable, with no file changed
            memory.mkdir(parents=True, exist_ok=True)
            note.write_text(json.dumps(ops))
    if ops['state'] == 'ok':
        return None
    problem, remedy = ADVICE_OPS[ops['state']]
    return SetupError(f'{problem} in {found.prefix} ({ops["detail"]})', remedy)


def find_base(explicit: Path | None, candidates: list[Path]) -> Path:
    """Find a CPython 3.11 that can make virtual environments.

    Args:
        explicit: What the user named; then nothing else will do.
        candidates: Where to look otherwise, in order.

    Raises:
        SetupError: when there is none; says what was found instead.
    """
    seen = []
    for path in [explicit] if explicit else candidates:
        found = inspect(path)
        if not found:
            seen.append(f'{path} does not run')
        elif found.implementation != 'cpython' or not satisfies(found.python, f'>={WANTED},<3.12'):
            seen.append(f'{path} is {found.implementation} {found.python}')
        elif not has_venv(path):
            seen.append(f'{path} lacks the modules venv and ensurepip (Debian: apt-get install python3.11-venv)')
        else:
            return path
    raise SetupError(f'CPython {WANTED} is needed to make .venv, and there is none: {"; ".join(seen) or "no python3"}',
                     'Install it, or name one: make PYTHON=/path/to/python3.11 ...')


def has_venv(path: Path) -> bool:
    """Tell whether an interpreter can make a virtual environment with pip in it."""
    return subprocess.run([str(path), '-c', 'import ensurepip, venv'], capture_output=True).returncode == 0


def python_candidates(own: str, which=shutil.which, active: Path | None = None) -> list[Path]:
    """Interpreters worth asking for a base: this one, those on the path, the active environment's."""
    names = [own, which('python3.11'), '/usr/bin/python3.11', which('python3'), active]
    paths = [Path(name) for name in names if name and os.path.exists(name)]
    return list(dict.fromkeys(paths))
