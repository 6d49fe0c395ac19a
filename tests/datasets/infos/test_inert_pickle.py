"""Pickles of other tools: what is plain comes through, whatever else is refused without being run."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bevdistill.datasets.infos.inert_pickle import NotPlainPickleError, plain_unpickle


class Canary:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self.path,)


ARRAYS = {
    'float': np.arange(6.0).reshape(2, 3),
    'fortran': np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
    'big-endian': np.arange(3, dtype='>i4'),
    'text': np.array(['car', 'bus']),
    'bool': np.array([True, False]),
    'empty': np.zeros((0, 7)),
    'scalar': np.array(3.5),
}


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_and_arrays_come_through(protocol: int) -> None:
    shared = [1, 2]
    plain = {'a': (1, None, True, 2.5, 'x', b'\xff\x00', shared), 'b': shared, 'c': OrderedDict(d={1, 2}), 4: -(2**70)}
    read = plain_unpickle(pickle.dumps({**plain, 'arrays': [ARRAYS], 'number': np.float32(0.5)}, protocol))
    assert {key: read[key] for key in plain} == plain
    assert type(read['number']) is float and read['number'] == 0.5
    for name, array in read['arrays'][0].items():
        assert type(array) is np.ndarray, name
        assert array.dtype.newbyteorder('=') == ARRAYS[name].dtype.newbyteorder('='), name
        np.testing.assert_array_equal(array, ARRAYS[name], name)
    read['arrays'][0]['float'][0] = 9  # writable, as what a pickle gives is


def test_a_cycle_of_containers_with_an_array() -> None:
    loop: list[Any] = [np.zeros(2)]
    loop.append((loop, np.ones(1)))
    read = plain_unpickle(pickle.dumps(loop))
    assert type(read[0]) is np.ndarray and type(read[1][1]) is np.ndarray


@pytest.mark.parametrize('protocol', [0, 2, pickle.HIGHEST_PROTOCOL])
def test_code_is_named_and_not_run(protocol: int, tmp_path: Path) -> None:
    content = pickle.dumps({'data_list': [{'token': Canary(tmp_path / 'ran')}]}, protocol)
    with pytest.raises(NotPlainPickleError, match=r'^(pathlib|__builtin__.getattr|builtins.getattr)'):
        plain_unpickle(content)
    assert not (tmp_path / 'ran').exists()


class _State:
    """A dtype or array with a state that numpy would take from any pickle."""

    def __init__(self, make: Any, arguments: tuple[Any, ...], state: Any) -> None:
        self.parts = make, arguments, state

    def __reduce__(self) -> tuple[Any, ...]:
        return self.parts


RECONSTRUCT = np.zeros(1).__reduce__()[0]


@pytest.mark.parametrize(
    ('value', 'found'),
    [
        (np.array([{}, None]), "type 'O8'"),
        (np.zeros(2, dtype=[('a', 'f4')]), "type 'V4'"),
        (_State(np.dtype, ('f8',), (3, '<', None, None, None, 1 << 40, 1, 0)), ''),
        (_State(np.dtype, ('f8',), (3, '<', ('f8', (9,)), None, None, 72, 1, 0)), 'array of records'),
        (_State(RECONSTRUCT, (np.ndarray, (0,), b'b'), (1, (1 << 40,), np.dtype('f8'), False, b'x' * 8)), 'not fit'),
        (_State(RECONSTRUCT, (np.ndarray, (0,), b'b'), (1, (-1,), np.dtype('f8'), False, b'')), 'not fit'),
        (_State(RECONSTRUCT, (np.ndarray, (0,), b'b'), (1, (1,), np.dtype('f8'), False, [None])), 'array of objects'),
        (torch.zeros(2), 'torch'),
        (np.random.default_rng(0), 'numpy.random'),
        (np.lib.npyio.DataSource(), 'numpy'),
        (getattr, 'builtins.getattr'),
        (pytest.raises, 'pytest'),
    ],
)
def test_what_could_do_harm_is_refused(value: Any, found: str) -> None:
    content = pickle.dumps([value])
    if not found:
        # A size of a billion bytes per number is not believed.
        assert plain_unpickle(content)[0].numpy.itemsize == 8
        return
    with pytest.raises(NotPlainPickleError, match=found):
        plain_unpickle(content)


def test_damage_is_an_error_of_one_line() -> None:
    content = pickle.dumps({'data_list': [ARRAYS] * 2, 'metainfo': {}})
    for cut in range(0, len(content), 13):
        with pytest.raises(ValueError) as refused:
            plain_unpickle(content[:cut])
        assert '\n' not in str(refused.value)
