"""What a converted file says about itself, and which files are refused."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bevdistill.checkpoints import META_KEY
from bevdistill.checkpoints.official import BEVFORMER_CLASSES, CLASSES, convert_file, to_own_classes

HEAD = 'pts_bbox_head.cls_branches.0.6.bias'


def silent(line: str) -> None:
    """No progress."""


@pytest.fixture
def write(official, tmp_path: Path):
    """Writer of a public file: ``write(kind, **meta) -> (path, weights)``."""

    def write(kind: str, **meta: Any) -> tuple[Path, dict[str, torch.Tensor]]:
        weights = official(kind)
        path = tmp_path / f'{kind}.pth'
        torch.save(dict(meta=dict(mmdet3d_version='0.17.1', **meta), state_dict=weights, optimizer={}), path)
        return path, weights

    return write


def test_identity(write, tmp_path: Path) -> None:
    source, weights = write('bevformer', epoch=np.float64(24), CLASSES=BEVFORMER_CLASSES)
    lines: list[str] = []
    result = convert_file(source, tmp_path / 'made' / 'out.pth', 'bevformer', progress=lines.append)
    out = torch.load(tmp_path / 'made' / 'out.pth', weights_only=True)
    assert set(out) == {'meta', 'state_dict'}
    assert out['meta'][META_KEY] == dict(
        classes=list(CLASSES),
        point_cloud_range=[-51.2, -51.2, -5.0, 51.2, 51.2, 3.0],
        box_convention='mmdet3d>=1.0',
        converted_from=dict(
            kind='bevformer', file='bevformer.pth', sha256=hashlib.sha256(source.read_bytes()).hexdigest()
        ),
    )
    assert torch.equal(out['state_dict'][HEAD], to_own_classes(weights[HEAD], BEVFORMER_CLASSES))
    assert [line.split()[0] for line in lines] == ['reading', 'converting', 'writing']
    text = '\n'.join(result.notes)
    assert 'not needed: ' in text and 'numpy.dtype' in text
    assert 'left behind: optimizer' in text and '(the file says so)' in text
    assert 'that of all public models; the file does not say' in text
    assert [path.name for path in (tmp_path / 'made').iterdir()] == ['out.pth']


def test_the_files_own_class_order_wins(write, tmp_path: Path) -> None:
    source, weights = write('bevformer', CLASSES=CLASSES)
    result = convert_file(source, tmp_path / 'out.pth', 'bevformer', progress=silent)
    assert torch.equal(result.conversion.weights[HEAD], weights[HEAD])
    assert 'another order than bevformer models usually have' in result.notes[-1]


def test_bare_weights(official, tmp_path: Path) -> None:
    torch.save(official('object-dgcnn'), tmp_path / 'bare.pth')
    result = convert_file(tmp_path / 'bare.pth', tmp_path / 'out.pth', 'object-dgcnn', progress=silent)
    assert result.config == 'configs/object_dgcnn/object-dgcnn_voxel01_20e_nus-3d.py'
    assert not any('left behind' in note for note in result.notes)


def test_distiller_names_its_teacher(write, tmp_path: Path) -> None:
    source, _ = write('distiller')
    out, teacher = tmp_path / 'out.pth', tmp_path / 'teacher.pth'
    convert_file(source, out, 'distiller', teacher, progress=silent)
    identity = torch.load(out, weights_only=True)['meta'][META_KEY]['teacher']
    assert identity == dict(path=str(teacher), sha256=hashlib.sha256(teacher.read_bytes()).hexdigest())
    held = torch.load(teacher, weights_only=True)
    assert held['meta'][META_KEY]['converted_from']['kind'] == 'distiller'
    assert 'teacher' not in held['meta'][META_KEY]
    assert all(not name.startswith('teacher.') for name in held['state_dict'])
    convert_file(source, out, 'distiller', progress=silent)
    identity = torch.load(out, weights_only=True)['meta'][META_KEY]['teacher']
    assert identity == dict(path=str(source), sha256=hashlib.sha256(source.read_bytes()).hexdigest())


def test_a_second_conversion_is_refused(write, tmp_path: Path) -> None:
    source, _ = write('distiller')
    out, teacher = tmp_path / 'out.pth', tmp_path / 'teacher.pth'
    convert_file(source, out, 'distiller', teacher, progress=silent)
    for made, kind in ((out, 'distiller'), (teacher, 'bevdistill-teacher')):
        with pytest.raises(ValueError, match=r'was converted from distiller\.pth: it is in mmdet3d>=1\.0 convention'):
            convert_file(made, tmp_path / 'again.pth', kind, progress=silent)
    assert not (tmp_path / 'again.pth').exists()


@pytest.mark.parametrize(
    ('meta', 'message'),
    [
        (dict(bevdistill=dict(box_convention='mmdet3d>=1.0')), 'was written by this package'),
        (dict(mmdet3d_version='1.1.0'), r'was written by mmdet3d 1\.1\.0'),
        (dict(mmengine_version='0.7.0'), 'was written by mmengine'),
    ],
)
def test_files_in_todays_convention_are_refused(official, tmp_path: Path, meta: dict, message: str) -> None:
    torch.save(dict(meta=meta, state_dict=official('bevformer')), tmp_path / 'new.pth')
    with pytest.raises(ValueError, match=message):
        convert_file(tmp_path / 'new.pth', tmp_path / 'out.pth', 'bevformer', progress=silent)


def test_nothing_is_written_when_it_fails(write, tmp_path: Path) -> None:
    source, _ = write('bevdistill-teacher')
    for kind, teacher, message in (
        ('bevformer', None, r'looks like one of kind bevdistill-teacher .* Give --kind bevdistill-teacher'),
        ('distiller', tmp_path / 't.pth', 'not of kind distiller'),
        ('bevdistill-teacher', tmp_path / 't.pth', 'only a file of kind distiller holds a teacher'),
    ):
        with pytest.raises(ValueError, match=message):
            convert_file(source, tmp_path / 'out.pth', kind, teacher, progress=silent)
    assert [path.name for path in tmp_path.iterdir()] == [source.name]
