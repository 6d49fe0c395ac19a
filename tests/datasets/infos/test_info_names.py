"""Names of nuScenes in the order of mmdet3d, and files of ours that are called by a token."""

from __future__ import annotations

import hashlib

import pytest

from bevdistill.datasets.infos.names import CATEGORIES, DEFAULT_PREFIX, name_of_file
from bevdistill.structures.cameras import CAMERAS


@pytest.mark.parametrize('token', ['a', '3e8750f331d7499e9b5123e9eb70f2e2', 'drive-1_b', 'x' * 200, 'Zürich'])
def test_plain_tokens_are_names(token: str) -> None:
    assert name_of_file(token) == token


@pytest.mark.parametrize('token', ['', '..', '../a', 'a/b', 'a b', 'a.b', 'x' * 201, 'a\n', '\0'])
def test_others_are_hashed_and_stay_apart(token: str) -> None:
    """32 digits of the SHA-256, which no other token has for its name."""
    assert name_of_file(token) == hashlib.sha256(token.encode()).hexdigest()[:32]
    assert '/' not in name_of_file(token) and name_of_file(token) != name_of_file(token + '.')


def test_folders_of_the_sensors() -> None:
    assert set(DEFAULT_PREFIX) == {'pts', 'sweeps', *CAMERAS} and len(set(DEFAULT_PREFIX.values())) == 8
    assert DEFAULT_PREFIX['sweeps'] == 'sweeps/LIDAR_TOP' and DEFAULT_PREFIX['CAM_BACK'] == 'samples/CAM_BACK'
    assert len(set(CATEGORIES)) == 10
