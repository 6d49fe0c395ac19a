"""What set-up pins."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata

import pytest
from made_up import REPO, locked_versions
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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
