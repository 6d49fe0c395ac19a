"""Students called by other programs: against the detector's own memory of scenes, in batches and sequences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet3d.structures import Det3DDataSample

from bevdistill.apis import Calibration, Stream, Student, detect, infer, init_student
from bevdistill.apis.sources import NamedMoment, folder_moments


@pytest.fixture(scope='module')
def moments(student: Student, drive: Path) -> list[NamedMoment]:
    return list(folder_moments(student, drive.parent, drive))


def numbers(found: list) -> np.ndarray:
    return np.array([[box.score, *box.centre_m, *box.size_m, box.yaw_rad, *box.velocity_m_s] for box in found])


def test_a_sequence_is_what_the_detector_finds_in_a_test(student: Student, moments: list[NamedMoment]) -> None:
    """Boxes equal those of the detector with its own memory, which is not touched by the caller's streams."""
    detector, stream, expected = student.detector, Stream(), []
    for index, entry in enumerate(moments[:2]):
        meta = dict(
            lidar2img=entry.moment.lidar2img[None], can_bus=np.zeros((1, 18)), can_bus_absolute=entry.moment.can_bus,
            scene_token='s', frame_idx=index, img_shape=[(32, 48)] * 6,
        )  # fmt: skip
        sample = Det3DDataSample(metainfo=meta)
        data = student.preprocessor(dict(inputs=dict(img=[entry.moment.images[None]]), data_samples=[sample]), False)
        with torch.no_grad():
            outputs = detector.forward_outputs(data['inputs'], data['data_samples'])
        boxes, scores, _ = detector.pts_bbox_head.coder.decode(outputs.logits[-1], outputs.codes[-1])[0]
        expected.append(torch.cat((scores[:, None], boxes), dim=1).numpy())
    detector.memory.reset()
    for entry, right in zip(moments[:2], expected, strict=True):
        np.testing.assert_allclose(numbers(detect(student, [entry.moment], [stream])[0]), right, atol=1e-5)
    assert len(detector.memory) == 0
    alone = numbers(detect(student, [moments[1].moment])[0])
    assert np.abs(alone - expected[1]).max() > 1e-3, 'history changes nothing'


def test_a_batch_of_streams_is_each_alone(student: Student, moments: list[NamedMoment]) -> None:
    """One stream has history, the other begins; the order of a batch changes nothing."""
    old, new, single = Stream(), Stream(), Stream()
    for stream in (old, single):
        detect(student, [moments[0].moment], [stream])
    first, second = detect(student, [moments[2].moment, moments[1].moment], [new, old])
    np.testing.assert_allclose(numbers(first), numbers(detect(student, [moments[2].moment])[0]), atol=1e-5)
    np.testing.assert_allclose(numbers(second), numbers(detect(student, [moments[1].moment], [single])[0]), atol=1e-5)
    assert new.bev is not None and old.bev is not None and not torch.equal(new.bev, old.bev)
    old.reset()
    assert old.bev is None and old.can_bus is None
    assert detect(student, []) == []


def test_the_order_of_cameras_is_that_of_their_embeddings(
    student: Student, moments: list[NamedMoment], monkeypatch: pytest.MonkeyPatch
) -> None:
    moment, order = moments[1].moment, [3, 0, 5, 1, 4, 2]
    before = numbers(detect(student, [moment])[0])
    other = replace(moment, images=moment.images[order], lidar2img=moment.lidar2img[order])
    assert np.abs(numbers(detect(student, [other])[0]) - before).max() > 1e-3
    embeds = student.detector.pts_bbox_head.transformer.cams_embeds
    monkeypatch.setattr(embeds, 'data', embeds.data[order])
    np.testing.assert_allclose(numbers(detect(student, [other])[0]), before, atol=1e-4)


def test_what_does_not_fit_is_said(
    student: Student, moments: list[NamedMoment], student_files: tuple[Path, Path]
) -> None:
    moment = moments[0].moment
    image = np.zeros((64, 96, 3), np.uint8)
    good = Calibration([[[60, 0, 48], [0, 60, 32], [0, 0, 1]]], np.eye(4)[None])
    with pytest.raises(ValueError, match='one stream is given twice'):
        detect(student, [moment, moment], [stream := Stream(), stream])
    with pytest.raises(ValueError, match='expected one stream for each of 1 moment, found 2'):
        detect(student, [moment], [Stream(), Stream()])
    with pytest.raises(ValueError, match='trained with 6 cameras, found 1 image'):
        infer(student, [[image]], [good])
    with pytest.raises(ValueError, match='needs to know how the car moved'):
        infer(student, [[image]], [good], [Stream()])
    with pytest.raises(ValueError, match=r'intrinsics: expected finite numbers of shape \(2, 3, 3\)'):
        infer(student, [[image, image]], [good])
    with pytest.raises(ValueError, match='use the image that was calibrated'):
        infer(student, [[image[:20]]], [good])
    with pytest.raises(ValueError, match='one calibration for each of 2 moments, found 1'):
        infer(student, [[image], [image]], [good])
    changes = {'model.pts_bbox_head.num_classes': 3, 'test_dataloader.dataset.metainfo.classes': ['a']}
    three = _with_classes(student_files[1], 3)
    with pytest.raises(ValueError, match='expected 3 class names'):
        init_student(student_files[0], three, overrides=changes)


def _with_classes(checkpoint: Path, count: int) -> Path:
    """A copy of a checkpoint whose last branch has so many classes, and no names of them."""
    content = torch.load(checkpoint, weights_only=True)
    for name, value in content['state_dict'].items():
        if 'cls_branches' in name and len(value) == 2:
            content['state_dict'][name] = value[:1].repeat(count, *[1] * (value.dim() - 1))
    path = checkpoint.with_name(f'{count}_classes.pth')
    torch.save(dict(meta=dict(bevdistill=dict(box_convention='mmdet3d>=1.0')), state_dict=content['state_dict']), path)
    return path
