"""Made-up interpreters: the real Python, in front of a folder of packages that are only there by name and version."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import packaging
from packaging.requirements import Requirement

from tools.setup.environment import Venv

REPO = Path(__file__).resolve().parents[3]
AS_PYTHON_39 = ("import platform, runpy, sys; sys.version_info = (3, 9, 2); platform.python_version = lambda: '3.9.2'; "
                'sys.argv = sys.argv[1:]; sys.path.insert(0, None); runpy.run_path(sys.argv[0])')


def locked_versions() -> dict[str, str]:
    """Versions of the lock by name, torch among them."""
    venv = Venv(REPO, Path('cache'))
    lines = [line.partition(' \\')[0] for pin in [*venv.pins.values(), venv.torch] for line in pin.splitlines()]
    pins = [Requirement(line) for line in lines if '==' in line and not line.startswith(' ')]
    return {pin.name: next(iter(pin.specifier)).version for pin in pins if not pin.marker or pin.marker.evaluate()}


def fitting_packages(*extras: str) -> dict[str, str]:
    """What an environment needs, in the versions of the lock."""
    project = tomllib.loads((REPO / 'pyproject.toml').read_text())['project']
    lines = sum((project['optional-dependencies'][extra] for extra in extras), project['dependencies'])
    lock = locked_versions()
    return {name: lock[name] for name in (Requirement(line).name for line in lines)}


def make_interpreter(folder: Path, packages: dict[str, str], operators: str | None = '', torch: str = '',
                     code: str = '') -> Path:
    """Make an interpreter.

    Args:
        folder: Of the environment.
        packages: Versions by name.
        operators: Source of ``mmcv._ext``; no such module if it is ``None``.
        torch: Source of ``torch``.
        code: Python code to run in place of the script that is asked for.
    """
    site = folder / 'site'
    for name, version in packages.items():
        about = site / f'{name.replace("-", "_")}-{version}.dist-info'
        about.mkdir(parents=True, exist_ok=True)
        (about / 'METADATA').write_text(f'Name: {name}\nVersion: {version}\n')
    for module, source in (('torch/__init__', torch), ('mmcv/__init__', ''), ('mmcv/_ext', operators)):
        (site / module).parent.mkdir(parents=True, exist_ok=True)
        if source is not None:
            (site / f'{module}.py').write_text(source)
    if not (site / 'packaging').exists():
        (site / 'packaging').symlink_to(Path(packaging.__file__).parent)
    python = folder / 'bin' / 'python'
    python.parent.mkdir(exist_ok=True)
    instead = f'-c "{code}"' if code else ''
    python.write_text(f'#!/bin/sh\nPYTHONPATH={site} exec {sys.executable} -S -B {instead} "$@"\n')
    python.chmod(0o755)
    return python
