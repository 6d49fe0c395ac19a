"""What is no information file is named, with what helps."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from bevdistill.datasets.infos import read_infos

WHOLE = pickle.dumps({'metainfo': {}, 'data_list': [{'token': 'a' * 200}]})
BEVDET = {'infos': [{'ann_infos': ([], []), 'scene_token': 's'}], 'metadata': {}}


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', r'the file is empty.*Copy it again'),
        (WHOLE[:150], r'\(150 bytes\) cannot be read.*bevdistill data create nuscenes'),
        (b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n', r'pointer of large-file.*git lfs pull'),
        (b'/annex/objects/SHA256E-s9--0.pkl\n', r'pointer of large-file storage.*git annex get'),
        (b'<!DOCTYPE html><html>sign in</html>', 'is a web page'),
        (b'PK\x03\x04' + bytes(60), 'is a zip archive: unpack it'),
        (b'not a pickle at all', 'cannot be read'),
        (pickle.dumps([1, 2]), 'no information file: .*found a list'),
        (pickle.dumps(BEVDET), r"BEVDet's layout .*bevdistill data convert .*infos.pkl OUT.msgpack.gz"),
        (pickle.dumps({'infos': [{'token': 'a'}]}), r'a file of mmdet3d below 1.1'),
        (pickle.dumps({'a': 1}), r'found a dict of a;'),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else '',
)
def test_other_files_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / 'infos.pkl'
    file.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        read_infos(str(file))
    assert '\n' not in str(error.value)


def test_a_whole_file_is_read_and_a_missing_one_named(tmp_path: Path) -> None:
    (tmp_path / 'infos.pkl').write_bytes(WHOLE)
    read: dict[str, Any] = read_infos(str(tmp_path / 'infos.pkl'))
    assert read == pickle.loads(WHOLE)
    with pytest.raises(FileNotFoundError, match=r'no information file .*other.pkl; write it with: bevdistill'):
        read_infos(str(tmp_path / 'other.pkl'))
