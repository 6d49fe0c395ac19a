from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet3d.registry import MODELS
from torch import nn

from bevdistill.visualization.viewer import ModelViewer

from .toy_models import PictureDetector

CAMERA = dict(use_camera=True, use_lidar=False)
LIDAR = dict(use_camera=False, use_lidar=True)


def _config(folder: Path, name: str, model: dict[str, Any], modality: dict[str, bool], **dataset: Any) -> Path:
    data = dict(type='ToyData', data_root='here', modality=modality, **dataset)
    text = f"default_scope = 'mmdet3d'\nmodel = {model!r}\ntest_dataloader = dict(dataset={data!r})\n"
    path = folder / f'{name}.py'
    path.write_text(text)
    return path


def _checkpoint(folder: Path, name: str, prefix: str = '', meta: dict[str, Any] | None = None) -> Path:
    weights = {f'{prefix}{key}': value for key, value in PictureDetector('both').state_dict().items()}
    path = folder / f'{name}.pth'
    torch.save(dict(state_dict=weights, meta=meta or {}), path)
    return path


@pytest.mark.parametrize(('sensor', 'modality'), [('img', CAMERA), ('points', LIDAR)])
def test_page_has_both_sensors_while_the_model_gets_its_own(
    tmp_path: Path, sensor: str, modality: dict[str, bool]
) -> None:
    config = _config(tmp_path, 'one', dict(type='PictureDetector', sensor=sensor), modality)
    viewer = ModelViewer(config, _checkpoint(tmp_path, 'one'), data_root=str(tmp_path))
    view = viewer.view(2)
    assert viewer.dataset.data_root == f'{tmp_path}/'
    assert view.frame.token == 't2'
    assert len(view.frame.images) == 6
    assert view.frame.points is not None
    assert view.frame.truth is not None
    assert len(view.frame.truth) == 1
    assert len(view.predictions) == 1
    assert [maps.name for maps in view.maps] == ['PictureDetector']
    assert viewer.classes == ['car', 'pedestrian']
    assert not viewer.model.training


def test_positions_by_token(tmp_path: Path) -> None:
    config = _config(tmp_path, 'one', dict(type='PictureDetector', sensor='img'), CAMERA, missing=('t1',))
    viewer = ModelViewer(config, _checkpoint(tmp_path, 'one'), role='student')
    assert viewer.position('t2') == 1
    with pytest.raises(ValueError, match='test data of the student have no sample t1'):
        viewer.position('t1')


@pytest.mark.parametrize('there', [True, False])
def test_distiller_shows_its_teacher_if_the_weights_are_there(tmp_path: Path, there: bool) -> None:
    """Tested on cameras alone, it is given the points as well when its teacher answers."""
    teacher = tmp_path / 'teacher.pth'
    if there:
        teacher.touch()
    detector = dict(type='PictureDetector', sensor='both' if there else 'img')
    config = _config(tmp_path, 'distiller', dict(type='ToyDistiller', student=detector, teacher=detector), CAMERA)
    meta = dict(bevdistill=dict(teacher=dict(path=str(teacher))))
    viewer = ModelViewer(config, _checkpoint(tmp_path, 'distiller', 'student.', meta), role='student')
    assert [maps.name for maps in viewer.view(0).maps] == (['teacher', 'student'] if there else ['student'])


def test_a_student_with_history_sees_its_scene_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = _config(tmp_path, 'one', dict(type='PictureDetector', sensor='img'), CAMERA)
    viewer = ModelViewer(config, _checkpoint(tmp_path, 'one'))
    answer, seen = viewer.detector.forward_outputs, []

    def spy(inputs: dict[str, Any], samples: list[Any]) -> Any:
        seen.append(samples[0].token)
        return answer(inputs, samples)

    monkeypatch.setattr(viewer.detector, 'forward_outputs', spy)
    viewer.view(2)
    assert seen == ['t2']
    monkeypatch.setattr(viewer.detector, 'queue_length', 3, raising=False)
    monkeypatch.setattr(viewer.dataset, 'frame_keys', lambda: [('a', 1), ('b', 0), ('a', 2), ('a', 0)], raising=False)
    assert viewer.view(2).frame.token == 't2'
    assert seen == ['t2', 't3', 't0', 't2']


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    config = _config(tmp_path, 'one', dict(type='PictureDetector', sensor='img', channels=5), CAMERA)
    with pytest.raises(ValueError, match=r'one\.pth does not fit .*one\.py:') as error:
        ModelViewer(config, _checkpoint(tmp_path, 'one'))
    assert '1 weight of other shapes: bev' in str(error.value)
    with pytest.raises(FileNotFoundError, match='no checkpoint'):
        ModelViewer(config, tmp_path / 'absent.pth')


@MODELS.register_module(force=True)
class BoxPictures(PictureDetector):
    """The toy with a weight that is named as a box head's."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.pts_bbox_head = nn.Linear(1, 1)


def test_public_weights_must_be_converted(tmp_path: Path) -> None:
    config = _config(tmp_path, 'one', dict(type='BoxPictures', sensor='img'), CAMERA)
    weights, file = BoxPictures(sensor='img').state_dict(), tmp_path / 'public.pth'
    torch.save(dict(state_dict=weights, meta=dict(mmdet3d_version='0.17.1')), file)
    with pytest.raises(ValueError, match=r'(?s)public\.pth cannot be shown as it is.*convert_official\.py'):
        ModelViewer(config, file)
    torch.save(dict(state_dict=weights, meta=dict(bevdistill={})), file)
    ModelViewer(config, file)
