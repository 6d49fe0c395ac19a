"""Names of splits, and the numbers that tell a part of a split apart."""

from __future__ import annotations

import numpy as np
from nuscenes.utils.splits import create_splits_scenes

from bevdistill.evaluation.splits import EVAL_SETS, PART, part_of


def test_splits_are_names_of_the_devkit() -> None:
    assert set(EVAL_SETS.values()) <= set(create_splits_scenes())


def test_the_whole_split_in_any_order_has_no_mark() -> None:
    assert part_of(['b', 'a'], ('a', 'b')) == {}
    assert part_of([], []) == {}


def test_a_part_by_hand() -> None:
    """SHA-256 of ``abc`` begins with ba7816 (FIPS 180-2)."""
    found = part_of(['abc'], ['abc', 'd', 'e'])
    assert found == {'samples': 1.0, 'split_samples': 3.0, 'samples_id': float(0xBA7816)}
    assert tuple(found) == PART and all(type(value) is float for value in found.values())
    assert float(np.float32(0xFFFFFF)) == 0xFFFFFF, 'float32 holds 24 bits'


def test_the_mark_is_of_the_samples_alone() -> None:
    """Not of their order nor of the split; another sample, also one beyond the split, is another mark."""
    marks = [part_of(tokens, whole)['samples_id'] for tokens, whole in (
        (['a', 'b'], ['a', 'b', 'c']), (['b', 'a'], ['d']), (['a', 'c'], ['a', 'b', 'c']), (['ab'], ['a', 'b', 'c']),
        ([], ['a']),
    )]  # fmt: skip
    assert marks[0] == marks[1] and len(set(marks)) == 4
    assert part_of(['a', 'b', 'c'], ['a', 'b'])['samples'] == 3
