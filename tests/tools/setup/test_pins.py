"""What set-up pins."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest
from setup_parts import REPO, pins


def test_lock_is_closed_and_meets_every_requirement() -> None:
    """Every requirement of a pinned package is pinned to a version that it accepts, or is left out by name."""
    from packaging.requirements import Requirement

    text = (REPO / 'requirements' / 'lock.txt').read_text()
    lock = pins.read_lock(REPO / 'requirements' / 'lock.txt')
    left_out = set(re.findall(r'^# without ([\w-]+) ', text, flags=re.MULTILINE))
    faults, looked_at = [], 0
    for name, version in lock.items():
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        if distribution.version.partition('+')[0] != version:
            continue
        looked_at += 1
        for text in distribution.requires or []:
            needed = Requirement(text)
            if needed.marker and not needed.marker.evaluate({'extra': ''}):
                continue
            other = pins.normalise(needed.name)
            if other in left_out or (name == 'torch' and other not in lock):
                continue
            if other not in lock or not needed.specifier.contains(lock[other]):
                faults.append(f'{name} {version} needs {needed}, the lock has {lock.get(other)}')
    if looked_at < len(lock) / 2:
        pytest.skip('this environment is not made from the lock')
    assert not faults


def test_lock_lies_inside_the_ranges() -> None:
    ranges = pins.read_ranges(REPO / 'setup.py', ('lidar', 'test', 'lint'))
    lock = pins.read_lock(REPO / 'requirements' / 'lock.txt') | {'python': '3.11.7'}
    lock.setdefault('spconv', '2.3.8')
    assert all(pins.satisfies(lock[name], bounds) for name, bounds in ranges.items())
    assert {'python', 'torch', 'mmcv', 'ruff', 'pytest'} <= set(ranges)


@pytest.mark.parametrize(('version', 'ranges', 'expected'), [
    ('2.13.0+cpu', '>=2.1,<3', True), ('2.13.0', '>=2.2', True), ('2.0.1', '>=2.1,<3', False), ('3.0', '<3', False),
    ('1.26.4', '<2', True), ('2.1', '==2.1.0', True), ('2.1.0rc1', '>=2.1', True), ('2.1', '!=2.1.0', False),
    ('1', '', True),
])
def test_versions_compare_by_number(version: str, ranges: str, expected: bool) -> None:
    assert pins.satisfies(version, ranges) is expected


def test_lock_with_an_open_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'lock.txt').write_text('# pins\nnumpy==1.26.4  # reason\ntorch>=2.0\n')
    with pytest.raises(ValueError, match=r"lock\.txt:3: expected \"name==version\".*torch>=2\.0"):
        pins.read_lock(tmp_path / 'lock.txt')


def test_misfits_are_what_is_missing_or_another_version() -> None:
    installed = {'torch': '2.13.0+cpu', 'numpy': '2.0.0'}
    assert pins.misfits(installed, {'torch': '2.13.0', 'numpy': '1.26.4', 'six': '1.17.0'}) == {
        'numpy': '1.26.4', 'six': '1.17.0'}
