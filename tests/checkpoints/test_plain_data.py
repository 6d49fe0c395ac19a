"""Checkpoint entries survive torch's weights-only loading."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer

from bevdistill.checkpoints.plain_data import NotPlainError, from_plain, to_plain
from bevdistill.datasets.seeded_index import SeededIndex


class Colour(IntEnum):
    RED = 3


def through_a_file(value: Any, folder: Path) -> Any:
    torch.save(to_plain(value, 'value'), folder / 'value.pth')
    return from_plain(torch.load(folder / 'value.pth', weights_only=True))


@pytest.mark.parametrize(
    ('value', 'expected'),
    [
        (None, None),
        ([1, 2.5, 'a', b'b', True, (1, 2)], [1, 2.5, 'a', b'b', True, (1, 2)]),
        (np.float64(0.5), 0.5),
        (np.int64(4), 4),
        ({'a': {np.int64(1): [np.float32(2)]}}, {'a': {1: [2.0]}}),
        (ConfigDict(a=dict(b=1)), {'a': {'b': 1}}),
        (defaultdict(list, a=[1]), {'a': [1]}),
        (deque([1, 2]), [1, 2]),
        ({3, 4}, {3, 4}),
        (Path('a/b'), 'a/b'),
        (Colour.RED, 3),
        (SeededIndex(7, seed=1), 7),
        (np.array(['a', 'b']), ['a', 'b']),
    ],
)
def test_values_come_back(value: Any, expected: Any, tmp_path: Path) -> None:
    back = through_a_file(value, tmp_path)
    assert back == expected
    assert type(back) is type(expected)


def test_arrays_and_tensors_come_back(tmp_path: Path) -> None:
    value = dict(array=np.arange(6.0).reshape(2, 3)[:, ::2], flags=np.array([True, False]), tensor=torch.arange(3))
    back = through_a_file(value, tmp_path)
    np.testing.assert_array_equal(back['array'], value['array'])
    assert back['flags'].dtype == bool
    assert torch.equal(back['tensor'], value['tensor'])


@pytest.mark.parametrize('length', [0, 1, 5])
def test_log_histories_come_back(length: int, tmp_path: Path) -> None:
    buffer = HistoryBuffer(list(range(length)), [2] * length, max_length=7)
    back = through_a_file(dict(loss=buffer), tmp_path)['loss']
    assert back.max_length == 7
    for ours, theirs in zip(back.data, buffer.data, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    back.update(1.5)
    assert back.current() == 1.5


def test_weights_keep_their_version_information() -> None:
    state = torch.nn.BatchNorm1d(2).state_dict()
    assert to_plain(dict(state_dict=state), 'checkpoint')['state_dict'] is state
    assert isinstance(state, OrderedDict)


def test_what_has_no_plain_form_is_named() -> None:
    with pytest.raises(NotPlainError, match=r'meta\.a\.1 is a builtins\.function'):
        to_plain(dict(a=[1, lambda: None]), 'meta')
