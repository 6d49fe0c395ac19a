from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bevdistill.datasets.infos import write_infos
from bevdistill.teacher_cache import Samples


def record(token: str) -> dict[str, Any]:
    sweep = dict(lidar_points=dict(lidar_path=f'sweeps/{token}_1.bin', lidar2sensor=np.eye(4)), timestamp=0.9)
    return dict(
        token=token, timestamp=1.0, lidar_points=dict(lidar_path=f'{token}.bin'), lidar_sweeps=[sweep], instances=[1, 2]
    )


def write(root: Path, records: list[dict[str, Any]], name: str = 'infos.msgpack.gz') -> dict[str, Any]:
    root.mkdir(exist_ok=True)
    write_infos(root / name, dict(data_list=records, metainfo={}))
    (root / 'lidar').mkdir(exist_ok=True)
    for entry in records:
        (root / 'lidar' / entry['lidar_points']['lidar_path']).write_bytes(entry['token'].encode())
    return dict(data_root=str(root), ann_file=name, data_prefix=dict(pts='lidar'))


@pytest.fixture
def records() -> list[dict[str, Any]]:
    return [record(token) for token in 'abcd']


def test_labels_order_and_a_part_of_the_samples_do_not_matter(tmp_path: Path, records: list[dict[str, Any]]) -> None:
    held = Samples.of(write(tmp_path / 'one', records))
    assert set(held.digests) == {*'abcd'}
    assert set(held.probes) == {'a.bin', 'd.bin'}
    for entry in records:
        del entry['instances']
    assert held.differences_of(write(tmp_path / 'two', records[::-1][:2])) == []


@pytest.mark.parametrize(
    'change',
    [
        lambda entry: entry['lidar_points'].update(lidar_path='x.bin'),
        lambda entry: entry['lidar_sweeps'].clear(),
        lambda entry: entry['lidar_sweeps'][0].update(timestamp=0.8),
        lambda entry: entry['lidar_sweeps'][0]['lidar_points'].update(lidar2sensor=np.eye(4) * 2),
        lambda entry: entry.update(timestamp=2.0),
    ],
)
def test_whatever_the_points_are_made_of_matters(tmp_path: Path, records: list[dict[str, Any]], change: Any) -> None:
    held = Samples.of(write(tmp_path / 'one', deepcopy(records)))
    change(records[1])
    (line,) = held.differences_of(write(tmp_path / 'two', records))
    assert line.startswith('data: 1 sample with other LiDAR files, calibration or times, b for one')
    assert '(the cache: 4 samples' in line
    assert 'this run: 4 of infos.msgpack.gz' in line


def test_samples_that_are_not_there(tmp_path: Path, records: list[dict[str, Any]]) -> None:
    held = Samples.of(write(tmp_path / 'one', records[:2]))
    (line,) = held.differences_of(write(tmp_path / 'two', records))
    assert line.startswith('data: the cache lacks 2 samples, c for one')


@pytest.mark.parametrize('rewritten', [False, True])
def test_two_roots_that_name_their_files_alike(
    tmp_path: Path, records: list[dict[str, Any]], rewritten: bool
) -> None:
    held = Samples.of(write(tmp_path / 'one', records))
    other = write(tmp_path / 'two', records[::-1] if rewritten else records)
    points = tmp_path / 'two' / 'lidar' / 'd.bin'
    assert held.differences_of(other) == []
    points.write_bytes(b'another world')
    (line,) = held.differences_of(other)
    assert line.startswith('data: d.bin has other points, SHA-256 ')
    points.unlink()
    assert held.differences_of(other) == []


def test_a_known_information_file_is_not_read(
    tmp_path: Path, records: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = write(tmp_path / 'one', records)
    held = Samples.of(dataset)
    monkeypatch.setattr(Samples, 'of', lambda *_: pytest.fail('read again'))
    assert held.differences_of(dataset) == []


def test_merged(tmp_path: Path, records: list[dict[str, Any]]) -> None:
    halves = dict(x=records[:2], y=records[2:])
    parts = [Samples.of(write(tmp_path / name, half)) for name, half in halves.items()]
    assert Samples.merged(parts).digest() == Samples.of(write(tmp_path / 'whole', records)).digest()
