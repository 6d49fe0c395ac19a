from __future__ import annotations

import hashlib
from datetime import datetime

import pytest
import torch
from mmdet3d.registry import MODELS

from bevdistill.distillers import TeacherCheckpoint


def detector(**arguments):
    return MODELS.build(dict(type='FakeDetector', source='points', **arguments))


def test_loads_and_identifies(save_teacher) -> None:
    path = save_teacher()
    checkpoint, model = TeacherCheckpoint(path), detector()
    checkpoint.load_into(model)
    for name, value in torch.load(path, weights_only=True)['state_dict'].items():
        torch.testing.assert_close(model.state_dict()[name], value)
    assert checkpoint.digest() == hashlib.sha256(path.read_bytes()).hexdigest()


def test_any_file_of_ours_serves(save_teacher, tmp_path) -> None:
    saved = torch.load(save_teacher(), weights_only=True)
    weights = {f'module.student.{name}': value for name, value in saved['state_dict'].items()}
    torch.save(saved | dict(state_dict=weights | {'module.losses.a.weight': torch.ones(1)}), tmp_path / 'distilled.pth')
    for role in ('teacher', 'student'):
        model = detector()
        TeacherCheckpoint(tmp_path / 'distilled.pth', role=role).load_into(model)
        for name, value in saved['state_dict'].items():
            torch.testing.assert_close(model.state_dict()[name], value)


def test_a_file_of_the_other_side_names_its_key(save_teacher, tmp_path) -> None:
    saved = torch.load(save_teacher(), weights_only=True)
    for role, other, part in (('teacher', 'student', 'img_backbone'), ('student', 'teacher', 'pts_backbone')):
        torch.save(saved | dict(state_dict={f'{part}.weight': torch.ones(1)}), tmp_path / 'other.pth')
        message = rf'(?s){role} checkpoint .*for the {other} use model\.{other}_checkpoint=\S*other\.pth'
        with pytest.raises(ValueError, match=message):
            TeacherCheckpoint(tmp_path / 'other.pth', role=role).load_into(detector())
    with pytest.raises(FileNotFoundError, match=r'no student checkpoint \S*gone.pth.\nLeave student_check'):
        TeacherCheckpoint(tmp_path / 'gone.pth', role='student').load_into(detector())


def test_absent_file_says_how_to_train_one(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r'(?s)there is no teacher checkpoint .*gone\.pth.*tools/train\.py'):
        TeacherCheckpoint(tmp_path / 'gone.pth').load_into(detector())
    (tmp_path / 'epoch_20.pth').touch()
    with pytest.raises(FileNotFoundError, match=r'is a folder; expected a checkpoint, in the folder are: epoch_20.pth'):
        TeacherCheckpoint(tmp_path).load_into(detector())


def test_all_differences_are_named_at_once(save_teacher) -> None:
    path = save_teacher(meta=dict(point_cloud_range=[-9, -6, -5, 9, 6, 3], box_convention='mmdet3d<1.0'), channels=5)
    with pytest.raises(ValueError, match='does not fit this run') as caught:
        TeacherCheckpoint(path, class_names=['bus', 'truck', 'car']).load_into(detector(heatmap=False))
    text = str(caught.value)
    assert 'point_cloud_range: the checkpoint has [-9.0' in text
    assert 'the config has [-8.0' in text
    assert 'box_convention: the checkpoint has mmdet3d<1.0, the config has mmdet3d>=1.0' in text
    assert "['car', 'truck', 'bus'], the config has ['bus', 'truck', 'car']" in text
    assert 'weights of the file unknown to the teacher: pts_bbox_head.shared_conv' in text
    assert 'stem.0.weight (5, 2, 1, 1) in the file, (4, 2, 1, 1) in the teacher' in text


def test_missing_weights(save_teacher) -> None:
    with pytest.raises(ValueError, match=r'\d+ weights missing in the file: pts_bbox_head\.shared_conv'):
        TeacherCheckpoint(save_teacher(heatmap=False)).load_into(detector())


def test_number_of_classes(save_teacher) -> None:
    path = save_teacher(classes=4, meta=dict(classes=['a', 'b', 'c', 'd']))
    with pytest.raises(ValueError, match=r"classes: the checkpoint has 4 \(\['a', 'b', 'c', 'd'\]\), the config has 3"):
        TeacherCheckpoint(path).load_into(detector())


def test_anonymous_file_must_be_trusted(tmp_path) -> None:
    path = tmp_path / 'plain.pth'
    torch.save(detector().state_dict(), path)
    message = r'(?s)does not say which classes.*convert_official\.py .*plain\.pth.*trust_teacher=True'
    with pytest.raises(ValueError, match=message):
        TeacherCheckpoint(path).load_into(detector())
    TeacherCheckpoint(path, trusted=True).load_into(detector())


def test_python_objects_are_refused(tmp_path) -> None:
    path = tmp_path / 'objects.pth'
    torch.save(dict(meta=dict(time=datetime(2026, 1, 1)), state_dict=detector().state_dict()), path)
    with pytest.raises(ValueError, match=r'(?s)holds Python objects.*convert_official'):
        TeacherCheckpoint(path).load_into(detector())


def test_damaged_file(save_teacher) -> None:
    path = save_teacher()
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r'teacher\.pth is damaged: of its 1000 bytes some are missing'):
        TeacherCheckpoint(path).load_into(detector())


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ([1, 2], 'expected weights by name, found a list'),
        (torch.zeros(2), 'expected weights by name, found a Tensor'),
        (dict(state_dict=[1]), 'state_dict: expected entries by name, found a list'),
        (dict(meta='text', state_dict={}), 'meta: expected entries by name, found a str'),
    ],
)
def test_something_else_than_a_checkpoint(save_teacher, content: object, message: str) -> None:
    path = save_teacher()
    torch.save(content, path)
    with pytest.raises(ValueError, match=rf'teacher\.pth: {message}'):
        TeacherCheckpoint(path).load_into(detector())


def test_classes_of_the_data(save_teacher) -> None:
    checkpoint = TeacherCheckpoint(save_teacher())
    checkpoint.load_into(detector())
    checkpoint.check_data(['car', 'truck', 'bus'])
    with pytest.raises(ValueError, match=r"the teacher checkpoint has the classes \['car'.*the data set \['bus'"):
        checkpoint.check_data(['bus', 'car', 'truck'])
