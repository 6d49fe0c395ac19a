"""Files that records name: there, whole, of the right size; and the verb that looks at them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bevdistill.cli.main import main
from bevdistill.datasets.infos import write_infos
from bevdistill.datasets.infos.disk import disk_faults, files_of
from bevdistill.datasets.infos.validate import Fault

Records = list[dict[str, Any]]
IMAGE, POINTS, SWEEP = 'samples/CAM_BACK/1.png', 'samples/LIDAR_TOP/1.bin', 'sweeps/LIDAR_TOP/1.bin'


@pytest.fixture
def infos(toy_records: Records) -> dict[str, Any]:
    meta = {'categories': {}, 'dataset': 'nuscenes', 'version': 'v1.0-mini'}
    return {'metainfo': meta, 'data_list': toy_records}


def faults(infos: dict[str, Any], root: Path, deep: bool = False) -> list[Fault]:
    return [fault for batch in disk_faults(list(files_of(infos, str(root)).values()), 4, deep) for fault in batch]


def test_whole_files_and_links_are_right(infos: dict[str, Any], tmp_path: Path) -> None:
    files = files_of(infos, str(tmp_path))
    # 5 records of 6 images, a keyframe and a sweep.
    assert len(files) == 5 * 8
    elsewhere = tmp_path / 'elsewhere'
    shutil.move(tmp_path / 'samples', elsewhere)
    (tmp_path / 'samples').symlink_to(elsewhere)
    assert faults(infos, tmp_path) == faults(infos, tmp_path, deep=True) == []


def cut(file: Path, left: int) -> None:
    file.write_bytes(file.read_bytes()[:left])


def device(file: Path) -> None:
    file.unlink()
    file.symlink_to('/dev/zero')


def nan(file: Path) -> None:
    points = np.fromfile(file, np.float32)
    points[7] = np.nan
    points.tofile(file)


@pytest.mark.parametrize(('name', 'change', 'kind', 'message'), [
    (IMAGE, Path.unlink, 'missing file', 'found none'),
    (IMAGE, lambda f: cut(f, 0), 'empty file', 'expected an image, found no content'),
    (IMAGE, lambda f: cut(f, 3000), 'broken image', 'a whole PNG file, found one that is cut off'),
    (IMAGE, lambda f: f.write_text('no'), 'broken image', 'expected an image, found 2 bytes that are none'),
    (IMAGE, lambda f: cv2.imwrite(str(f), np.zeros((16, 24, 3))), 'size of image', 'centre (24, 16), found 24 x 16'),
    (IMAGE, lambda f: cv2.imwrite(str(f), np.zeros((33, 48, 3))), 'size of image', '48 x 32 pixels as most of'),
    (IMAGE, lambda f: cv2.imwrite(str(f), np.zeros((32, 48))), 'broken image', 'three channels'),
    (IMAGE, device, 'no file', 'found a device, a pipe or a folder'),
    (POINTS, lambda f: cut(f, 397), 'size of points', 'a multiple of 20 (5 float32 per point), found 397 bytes'),
    (SWEEP, Path.unlink, 'missing file', 'lidar_sweeps.0.lidar_points.lidar_path'),
    (SWEEP, lambda f: cut(f, 0), 'empty file', 'expected points, found no content'),
])  # fmt: skip
def test_what_is_wrong_with_a_file(
    infos: dict[str, Any], tmp_path: Path, name: str, change: Callable[[Path], Any], kind: str, message: str
) -> None:
    change(tmp_path / name)
    (fault,) = faults(infos, tmp_path)
    assert (fault.kind, fault.sample) == (kind, 'token-1')
    assert message in str(fault) and str(tmp_path / name) in str(fault)


def test_points_are_read_when_asked(infos: dict[str, Any], tmp_path: Path) -> None:
    nan(tmp_path / POINTS)
    assert faults(infos, tmp_path) == []
    (fault,) = faults(infos, tmp_path, deep=True)
    assert fault.kind == 'broken points' and '1 of 200 points: NaN' in fault.found


def test_the_verb(infos: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_infos(tmp_path / 'nuscenes_infos_train.msgpack.gz', infos)
    assert main(['data', 'check', str(tmp_path)]) == 0
    assert capsys.readouterr().out == (
        f'{file}: 5 samples: nothing is wrong\n{tmp_path}: 40 files of sensors: nothing is wrong\n'
    )
    (tmp_path / IMAGE).unlink()
    (tmp_path / SWEEP).unlink()
    cut(tmp_path / POINTS, 10)
    assert main(['data', 'check', str(file), '--data-root', str(tmp_path)]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[1:3] == [f'{tmp_path}: 40 files of sensors: 3 faults', '  2 x missing file']
    assert '  1 x size of points' in out
    infos['data_list'][2]['can_bus'] = []
    write_infos(file, infos)
    (tmp_path / 'nuscenes_infos_val.pkl').write_bytes(b'cos\nsystem\n(S"true"\ntR.')
    assert main(['data', 'check', str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert f'{file}: 5 samples: 1 fault\n  1 x can_bus\n    sample token-2: can_bus: expected 18' in out
    assert 'is a pickle that holds os.system' in out and 'not looked at before its records are right' in out


def test_a_root_without_information_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['data', 'check', str(tmp_path)]) == 1
    assert f'no information file (*infos*) in {tmp_path}; write them with: ' in capsys.readouterr().err
