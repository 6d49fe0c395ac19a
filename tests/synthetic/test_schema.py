from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pyquaternion import Quaternion

from bevdistill.synthetic.schema import link, quaternions, static_tables, token, visibility_token, write_table


def test_tokens_depend_on_their_parts_alone() -> None:
    assert token('a', 1) == token('a', 1)
    assert len({token('a', 1), token('a', 2), token('b', 1)}) == 3
    assert len(token('a')) == 32


def test_quaternions_are_wxyz() -> None:
    turns = [Quaternion.random() for _ in range(5)]
    for turn, wxyz in zip(turns, quaternions(np.stack([t.rotation_matrix for t in turns])), strict=True):
        assert abs(np.dot(turn.elements, wxyz)) == pytest.approx(1.0)


@pytest.mark.parametrize(('share', 'level'), [(0.0, '1'), (0.39, '1'), (0.4, '2'), (0.6, '3'), (0.8, '4'), (1.0, '4')])
def test_visibility_levels(share: float, level: str) -> None:
    assert visibility_token(share) == level


def test_link_chains_records() -> None:
    records = [{'token': name} for name in 'abc']
    link(records)
    assert [(r['prev'], r['next']) for r in records] == [('', 'b'), ('a', 'c'), ('b', '')]
    link([])


def test_tables_are_json(tmp_path: Path) -> None:
    for name, records in static_tables().items():
        write_table(tmp_path, name, records)
        assert json.loads((tmp_path / f'{name}.json').read_text()) == records
    write_table(tmp_path, 'empty', [])
    assert json.loads((tmp_path / 'empty.json').read_text()) == []
