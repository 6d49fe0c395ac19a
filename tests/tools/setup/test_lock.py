"""What set-up pins."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from made_up import REPO, locked_versions
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.setup.environment import Venv

LOCK = (REPO / 'requirements' / 'lock.txt').read_text()
PYPROJECT = tomllib.loads((REPO / 'pyproject.toml').read_text())
TOLD = {'nuscenes-devkit': next(entry['requires-dist'] for entry in PYPROJECT['tool']['uv']['dependency-metadata']
                                if entry['name'] == 'nuscenes-devkit')}  # fmt: skip
"""Where the lock reads other requirements than a package's own: numpy<2 and shapely<2.1 are left out."""


def test_every_pin_but_torch_has_hashes() -> None:
    pins = re.findall(r'^([\w.-]+)==(?:.*\\\n)*.*', LOCK, re.MULTILINE)
    hashed = re.findall(r'^([\w.-]+)==\S+(?: ;.*)? \\\n +--hash=sha256:[0-9a-f]{64}', LOCK, re.MULTILINE)
    assert pins == hashed
    assert {*pins, 'torch'} >= set(locked_versions())
    assert {'mmcv', 'uv', 'setuptools', 'ninja', 'snakemake'} <= set(pins)


def test_lock_is_closed_and_meets_every_requirement() -> None:
    """Every requirement of a pinned package is pinned to a version that it accepts, or is left out by name."""
    lock = locked_versions()
    left_out = set(PYPROJECT['tool']['uv']['exclude-dependencies'])
    faults, looked_at = [], 0
    for name, version in lock.items():
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        if distribution.version.partition('+')[0] != version:
            continue
        looked_at += 1
        for needed in map(Requirement, TOLD.get(name, distribution.requires or [])):
            other = canonicalize_name(needed.name)
            needless = needed.marker and not needed.marker.evaluate({'extra': ''})
            cuda = name == 'torch' and other not in lock
            if needless or cuda or other in left_out:
                continue
            if other not in lock or not needed.specifier.contains(lock[other]):
                faults.append(f'{name} {version} needs {needed}, the lock has {lock.get(other)}')
    if looked_at < len(lock) / 2:
        pytest.skip('this environment is not made from the lock')
    assert not faults


def test_lock_lies_inside_the_ranges() -> None:
    project, lock = PYPROJECT['project'], locked_versions()
    lines = sum(project['optional-dependencies'].values(), project['dependencies'])
    ranges = {needed.name: needed.specifier for needed in map(Requirement, lines)}
    assert {'torch', 'mmcv', 'ruff', 'pytest', 'snakemake', 'rich'} <= set(ranges)
    assert [name for name, bounds in ranges.items() if not bounds.contains(lock[name])] == []
    pythons = Requirement(f'python{project["requires-python"]}').specifier
    assert [version for version in ('3.10.9', '3.11.0', '3.12.1', '3.13.9', '3.14.0') if pythons.contains(version)] == [
        '3.11.0', '3.12.1', '3.13.9']


def test_what_the_lock_is_told_of_packages_is_of_their_version() -> None:
    told = {entry['name']: entry['version'] for entry in PYPROJECT['tool']['uv']['dependency-metadata']}
    assert told == {name: locked_versions()[name] for name in ('torch', 'mmcv', 'nuscenes-devkit')}


def test_recipe_of_the_readme_resolves_for_every_python(tmp_path: Path) -> None:
    """``uv pip install -c requirements/lock.txt -e .`` beside the lock's torch, without installing anything."""
    readme = (REPO / 'README.md').read_text()
    assert f'{Venv(REPO, tmp_path).torch} && uv pip install -c requirements/lock.txt -e .\n' in readme
    for python in ('3.11', '3.13'):
        done = subprocess.run(
            [sys.executable, '-m', 'uv', 'pip', 'compile', '--quiet', '--python-version', python, '--constraints',
             'requirements/lock.txt', '--no-annotate', '--no-header', 'pyproject.toml'],
            cwd=REPO, capture_output=True, text=True)  # fmt: skip
        if done.returncode and re.search('(?i)connect|network|dns|timed? ?out|No module named uv', done.stderr):
            pytest.skip(f'no network, or no uv: {done.stderr.strip().splitlines()[-1]}')
        assert done.returncode == 0, done.stderr
        found = dict(line.split('==') for line in done.stdout.split() if '==' in line)
        numpy = re.findall(r'^numpy==(\S+)', LOCK, re.MULTILINE)
        assert found['numpy'] in numpy
        assert {'mmcv', 'mmdet3d', 'nuscenes-devkit', 'torch'} <= set(found)


def test_bounds_of_python_are_the_same_everywhere() -> None:
    probe = (REPO / 'tools' / 'setup' / 'probe.py').read_text()
    assert PYPROJECT['project']['requires-python'] == '>=3.11,<3.14'
    assert '(3, 11) <= sys.version_info[:2] < (3, 14)' in probe
    assert '(3, 11) <= sys.version_info < (3, 14)' in (REPO / 'Makefile').read_text()
