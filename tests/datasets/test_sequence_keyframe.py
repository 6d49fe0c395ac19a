"""The data set on a real keyframe."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from mmdet3d.structures.ops.box_np_ops import points_in_rbbox
from mmengine.config import Config

from .base_data import CONFIGS, build


def test_the_real_keyframe(keyframe_root: Path) -> None:
    """Boxes with many LiDAR points cover, in the images, the pixels that their points project to."""
    resize = {'type': 'ResizeCropCameras', 'scale': 0.5, 'crop': (50, 10, 400, 780)}
    pipeline = Config.fromfile(CONFIGS / 'nus-3d.py').train_pipeline
    pipeline.images.transforms.resize = resize
    pipeline.images.transforms.photometric = None
    dataset = build(keyframe_root, pipeline=pipeline)
    item = dataset[0]
    boxes = item['data_samples'].gt_instances_3d.bboxes_3d
    points = item['inputs']['points']
    points = points[points[:, 4] == 0]
    lidar2img = item['data_samples'].lidar2img[-1]
    inside_BP = points_in_rbbox(points[:, :3].numpy(), boxes.tensor[:, :7].numpy()).T
    seen = 0
    for i in range(len(boxes)):
        inside = points[inside_BP[i]][:, :3].numpy()
        if len(inside) < 30:
            continue
        for n in range(6):
            pixels, depth = pixels_of(inside, lidar2img[n])
            height, width = item['inputs']['img'].shape[-2:]
            visible = (depth > 1) & (pixels >= 0).all(1) & (pixels[:, 0] < width) & (pixels[:, 1] < height)
            if not visible.all():
                continue
            corners, corner_depth = pixels_of(boxes.corners[i].numpy(), lidar2img[n])
            assert (corner_depth > 0).all()
            outline = cv2.convexHull(corners.astype(np.float32))
            far = [cv2.pointPolygonTest(outline, tuple(map(float, p)), True) for p in pixels]
            assert min(far) > -1.0
            seen += 1
    assert seen >= 10
    assert item['inputs']['img'].shape == (1, 6, 3, 400, 780)


def pixels_of(points: np.ndarray, lidar2img: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    homogeneous = points @ lidar2img[:3, :3].T + lidar2img[:3, 3]
    return homogeneous[:, :2] / homogeneous[:, 2:], homogeneous[:, 2]


def test_projection_of_the_real_keyframe_is_undistorted_by_resizing(keyframe_root: Path) -> None:
    """The same points at half the size land at half the pixel."""
    pipeline = Config.fromfile(CONFIGS / 'nus-3d.py').test_pipeline
    full = build(keyframe_root, 'val', pipeline=pipeline)[0]['data_samples'].lidar2img[-1]
    pipeline.images.transforms.resize.scale = 0.5
    half = build(keyframe_root, 'val', pipeline=pipeline)[0]['data_samples'].lidar2img[-1]
    np.testing.assert_allclose(half, np.diag([0.5, 0.5, 1, 1]) @ full, rtol=1e-5)
