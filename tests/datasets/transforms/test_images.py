from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mmdet3d.registry import TRANSFORMS

from bevdistill.datasets import ImageQueue, LoadCameraImages, ResizeCropCameras
from bevdistill.datasets.transforms.images import lidar2img_matrix

K = np.array([[50.0, 0, 40.0], [0, 60.0, 25.0], [0, 0, 1]])
SMALL = K / 10


def frame(dot: tuple[int, int] | None = None, height: int = 60, width: int = 90, cameras: int = 2) -> dict[str, Any]:
    images = []
    for _ in range(cameras):
        image = np.zeros((height, width, 3), dtype=np.uint8)
        if dot is not None:
            image[dot[1] - 2 : dot[1] + 3, dot[0] - 2 : dot[0] + 3] = 255
        images.append(image)
    return {'img': images, 'cam2img': [K.copy() for _ in range(cameras)], 'lidar2cam': [np.eye(4)] * cameras}


def project(cam2img: np.ndarray, point: np.ndarray) -> np.ndarray:
    homogeneous = cam2img @ point
    return homogeneous[:2] / homogeneous[2]


@pytest.mark.parametrize(
    'options',
    [
        {'scale': 1.0},
        {'scale': 0.5},
        {'scale': 1.7},
        {'size': (64, 64)},
        {'size': (31, 47)},
        {'scale': 1.0, 'crop': (5, 11, 40, 70)},
        {'scale': 2.0, 'crop': (20, 30, 64, 96)},
    ],
)
def test_the_projection_follows_the_pixels(options: dict[str, Any]) -> None:
    dot = (50, 30)
    point = np.array([(dot[0] - K[0, 2]) / K[0, 0], (dot[1] - K[1, 2]) / K[1, 1], 1.0]) * 2
    results = ResizeCropCameras(**options)(frame(dot))
    for image, cam2img in zip(results['img'], results['cam2img'], strict=True):
        rows, cols = np.nonzero(image[..., 0] > 127)
        centre = np.array([cols.mean(), rows.mean()])
        np.testing.assert_allclose(centre, project(cam2img, point), atol=0.8)
        np.testing.assert_array_equal(cam2img[2], [0, 0, 1])


def test_scales_are_those_of_whole_pixels() -> None:
    results = ResizeCropCameras(scale=0.33)(frame())
    assert results['img'][0].shape == (20, 30, 3)
    np.testing.assert_allclose(results['cam2img'][0], np.diag([30 / 90, 20 / 60, 1]) @ K)


def test_matrices_are_not_shared_with_the_record() -> None:
    inputs = frame()
    given = inputs['cam2img'][0]
    ResizeCropCameras(scale=0.5)(inputs)
    np.testing.assert_array_equal(given, K)


def test_a_crop_outside_is_refused() -> None:
    with pytest.raises(ValueError, match=r'crop .* = \(40, 0, 40, 90\) leaves the resized image of 60 x 90 pixels'):
        ResizeCropCameras(scale=1.0, crop=(40, 0, 40, 90))(frame())


@pytest.mark.parametrize('options', [{}, {'scale': 1.0, 'size': (3, 4)}])
def test_scale_or_size(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match='either scale or size'):
        ResizeCropCameras(**options)


def test_lidar2img_has_a_proper_last_row() -> None:
    lidar2cam = np.random.normal(size=(4, 4))
    lidar2cam[3] = [0, 0, 0, 1]
    matrix = lidar2img_matrix(K, lidar2cam)
    assert matrix[3].tolist() == [0, 0, 0, 1]
    np.testing.assert_allclose(matrix[:3], K @ lidar2cam[:3])


def test_golden_lidar2img(golden) -> None:
    meta, arrays = golden('dataset_meta')
    for i in range(meta['config']['frames']):
        for n in range(meta['config']['num_cams']):
            lidar2cam = arrays[f'out.{i}.lidar2cam'][n]
            sensor2lidar = np.eye(4)
            sensor2lidar[:3, :3] = arrays[f'in.{i}.sensor2lidar_rotation'][n]
            sensor2lidar[:3, 3] = arrays[f'in.{i}.sensor2lidar_translation'][n]
            np.testing.assert_allclose(np.linalg.inv(sensor2lidar), lidar2cam, atol=1e-6)
            matrix = lidar2img_matrix(arrays[f'in.{i}.cam_intrinsic'][n], lidar2cam)
            np.testing.assert_allclose(matrix, arrays[f'out.{i}.lidar2img'][n], atol=1e-6)


@pytest.fixture
def files(tmp_path: Path) -> list[dict[str, Any]]:
    """Three frames of two cameras on disk; the last repeats the second."""
    frames = []
    for t in range(2):
        images = {}
        for n in range(2):
            path = tmp_path / f'{t}{n}.png'
            cv2.imwrite(str(path), np.full((8, 10, 3), 10 * t + n + 60, dtype=np.uint8))
            images[f'CAM_{n}'] = {'img_path': str(path), 'cam2img': SMALL * (t + 1), 'lidar2cam': np.eye(4)}
        frames.append({'images': images, 'token': f'token-{t}'})
    return [frames[0], frames[1], frames[1]]


def test_a_queue_in_order(files: list[dict[str, Any]]) -> None:
    loads: list[str] = []

    def note(results: dict[str, Any]) -> dict[str, Any]:
        loads.append(results['token'])
        return results

    results = ImageQueue({'load': {'type': 'LoadCameraImages'}, 'note': note})({'frames': files, 'token': 'token-1'})
    assert [int(image[0, 0, 0]) for image in results['img']] == [60, 61, 70, 71, 70, 71]
    assert results['lidar2img'].shape == (3, 2, 4, 4)
    assert results['lidar2img'].dtype == np.float32
    np.testing.assert_allclose(results['lidar2img'][1, 0, :3, :3], 2 * SMALL)
    assert results['img_shape'] == [(8, 10), (8, 10)]
    assert loads == ['token-0', 'token-1'], 'a repeated frame is loaded once'


def test_bytes_unless_floats_are_asked_for(files: list[dict[str, Any]]) -> None:
    assert LoadCameraImages()(dict(files[0]))['img'][0].dtype == np.uint8
    assert LoadCameraImages(to_float32=True)(dict(files[0]))['img'][0].dtype == np.float32


def test_photometric_draws_are_apart_per_camera(files: list[dict[str, Any]]) -> None:
    wrapper = TRANSFORMS.build(
        {
            'type': 'MultiViewWrapper',
            'transforms': [{'type': 'PhotoMetricDistortion3D'}],
            'override_aug_config': False,
            'process_fields': ['img'],
            'collected_keys': [],
        }
    )
    inputs = {'img': [np.full((4, 4, 3), 100, dtype=np.uint8) for _ in range(6)]}
    assert len({tuple(np.round(image[0, 0], 3)) for image in wrapper(inputs)['img']}) > 3


def test_a_missing_image_is_named_with_its_sample(files: list[dict[str, Any]]) -> None:
    path = files[0]['images']['CAM_1']['img_path']
    Path(path).unlink()
    with pytest.raises(FileNotFoundError, match=f'sample token-0: cannot read image {path}'):
        ImageQueue({'load': {'type': 'LoadCameraImages'}})({'frames': files, 'token': 'token-1'})


def test_a_broken_image_is_named_with_its_sample(files: list[dict[str, Any]]) -> None:
    path = files[0]['images']['CAM_1']['img_path']
    Path(path).write_bytes(b'not an image')
    with pytest.raises(ValueError, match=f'sample token-0: {path}: expected an image, found 12 bytes'):
        ImageQueue({'load': {'type': 'LoadCameraImages'}})({'frames': files, 'token': 'token-1'})


def test_cameras_of_different_sizes(files: list[dict[str, Any]]) -> None:
    cv2.imwrite(files[0]['images']['CAM_1']['img_path'], np.zeros((6, 10, 3), dtype=np.uint8))
    queue = {'load': {'type': 'LoadCameraImages'}}
    with pytest.raises(ValueError, match=r'token-1: .*\[\(6, 10\), \(8, 10\)\]; resize to a fixed size'):
        ImageQueue(queue)({'frames': files, 'token': 'token-1'})
    fixed = {**queue, 'resize': {'type': 'ResizeCropCameras', 'size': (8, 8)}}
    assert ImageQueue(fixed)({'frames': files, 'token': 'token-1'})['img'][1].shape == (8, 8, 3)
