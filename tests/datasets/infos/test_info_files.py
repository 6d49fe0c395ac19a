"""Information files on disk: what is written, what is read, what is refused."""

from __future__ import annotations

import gzip
import json
import math
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import mmengine
import numpy as np
import pytest

from bevdistill.datasets.infos import files, find_infos, read_infos, split_of, write_infos

RECORD = {'token': 'a', 'sample_idx': 0, 'timestamp': 1.5e9 + 0.1, 'velocity': [math.nan, -0.0], 'images': {}}
INFOS: dict[str, Any] = {'metainfo': {'categories': {'car': 0}}, 'data_list': [RECORD]}


def test_what_is_written_is_read_bit_for_bit(tmp_path: Path) -> None:
    array = np.array([[0.1, np.float32(0.1)], [1e300, 3]])
    infos = {**INFOS, 'data_list': [RECORD | {'matrix': array, 'count': np.int64(7)}, {}]}
    read = read_infos(write_infos(tmp_path / 'new' / 'a.msgpack.gz', infos))
    assert repr(read) == repr({**INFOS, 'data_list': [RECORD | {'matrix': array.tolist(), 'count': 7}, {}]})
    assert [path.name for path in (tmp_path / 'new').iterdir()] == ['a.msgpack.gz']


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = (write_infos(tmp_path / f'{name}.msgpack.gz', INFOS) for name in 'ab')
    assert first.read_bytes() == second.read_bytes()


def test_json_for_tools_that_read_by_mmengine(tmp_path: Path) -> None:
    assert repr(mmengine.load(write_infos(tmp_path / 'a.json', INFOS))) == repr(INFOS)


@pytest.mark.parametrize('name', ['a.pkl', 'a.json', 'a.msgpack.gz', 'a'])
def test_content_decides_and_not_the_name(tmp_path: Path, name: str) -> None:
    for content in (pickle.dumps(INFOS), json.dumps(INFOS).encode(), write_infos(tmp_path / 'w.msgpack.gz', INFOS)):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.read_bytes())
        assert repr(read_infos(tmp_path / name)) == repr(INFOS)


def test_the_same_name_with_another_ending_is_found_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(files, '_notice', told.append)
    old, new = tmp_path / 'infos_val.pkl', tmp_path / 'infos_val.msgpack.gz'
    old.write_bytes(pickle.dumps(INFOS))
    assert find_infos(old) == str(old)
    assert find_infos(new) == str(old)
    assert told == [f'{new} is not there; reading infos_val.pkl, which has the same name and another ending']
    write_infos(new, INFOS)
    old.unlink()
    assert find_infos(old) == str(new)
    assert split_of(old) == split_of(new) == 'infos_val'
    assert split_of('infos.d/other.txt') == 'other.txt'
    with pytest.raises(FileNotFoundError, match=r'no information file .*none.pkl; write it with: bevdistill'):
        find_infos(tmp_path / 'none.pkl')


def damaged() -> dict[str, bytes]:
    packed = gzip.compress(b'\x82' + b'x' * 500)
    return {
        'the file is empty': b'',
        'neither msgpack, JSON nor a pickle': b'\x00' * 64,
        'the file is cut off': packed[:-9],
        'incorrect data check': packed[:-8] + b'\x00' * 8,
        'Expecting': b'{"metainfo": {',
        'pickle data was truncated|Ran out of input': pickle.dumps(INFOS)[:-40],
        'found a list': b'[1, 2]',
        r'found a dict of infos, metadata \(a file of mmdet3d below': pickle.dumps({'infos': [], 'metadata': {}}),
        'found record 1 of data_list of type int': pickle.dumps({**INFOS, 'data_list': [{}, 3]}),
        'recursion|too deep|Stack|nested': b'[' * 100_000,
    }


@pytest.mark.parametrize('found', damaged())
def test_damage_is_one_line_with_file_and_advice(tmp_path: Path, found: str) -> None:
    file = tmp_path / 'infos.pkl'
    file.write_bytes(damaged()[found])
    with pytest.raises(ValueError, match=f'infos.pkl .*(?i:{found})') as refused:
        read_infos(file)
    assert 'expected' in str(refused.value)
    assert '\n' not in str(refused.value)
    assert f'data create nuscenes --root-path {tmp_path} --version' in str(refused.value)


def test_a_small_file_cannot_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, 'SMALL', 1 << 20)
    (tmp_path / 'a.msgpack.gz').write_bytes(gzip.compress(b'\xc0' * (64 << 20), 9))
    tracemalloc.start()
    with pytest.raises(ValueError, match='unpacks to more than'):
        read_infos(tmp_path / 'a.msgpack.gz')
    assert tracemalloc.get_traced_memory()[1] < 16 << 20
    tracemalloc.stop()


def test_only_plain_data_under_the_right_name_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r'end in \.msgpack\.gz, got .*x\.pkl; name it x\.msgpack\.gz'):
        write_infos(tmp_path / 'x.pkl', INFOS)
    with pytest.raises(ValueError, match=r'plain data only \(cannot hold a builtins\.set\)'):
        write_infos(tmp_path / 'x.msgpack.gz', {'metainfo': {1, 2}})
    assert not list(tmp_path.iterdir())
