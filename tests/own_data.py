"""Tiny made-up data in the neutral layout of one's own data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

LIDAR2EGO = [[0.0, -1.0, 0.0, 1.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 2.0], [0.0, 0.0, 0.0, 1.0]]
"""The LiDAR's x axis points to the left of the car; it is 1 m ahead of the ego origin and 2 m above."""
CAMERA2EGO = [[0.0, 0.0, 1.0, 1.5], [-1.0, 0.0, 0.0, 0.0], [0.0, -1.0, 0.0, 1.5], [0.0, 0.0, 0.0, 1.0]]
"""A camera that looks ahead: its z is the car's x, its x the car's right."""
INTRINSICS = [[40.0, 0.0, 24.0], [0.0, 40.0, 16.0], [0.0, 0.0, 1.0]]
SPEED = 5.0


def made_up_sample(root: Path, index: int, scene: str = 'drive', lidar: bool = True) -> dict[str, Any]:
    """A car drives at 5 m/s along global x, one sample a second; a van stands, a person walks 1 m/s to the left."""
    rng = np.random.default_rng(index)
    pose = np.eye(4)
    pose[0, 3] = SPEED * index
    sample: dict[str, Any] = {
        'token': f'{scene}-{index}',
        'scene': scene,
        'timestamp': 100.0 + index,
        'ego2global': pose.tolist(),
        'cameras': {},
        'boxes': [
            {'category': 'Van', 'centre': [20.0 - SPEED * index, 2.0, 1.0], 'size': [5.0, 2.0, 2.0], 'yaw': 0.3,
             'track': 'a', 'num_points': 7},
            {'category': 'Person', 'centre': [10.0 - SPEED * index, 1.0 * index, 0.9], 'size': [0.6, 0.7, 1.8],
             'yaw': 0.0, 'track': 'b'},
        ],
    }  # fmt: skip
    for name in ('left', 'front'):
        image = root / 'images' / f'{scene}-{name}-{index}.png'
        image.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(image), rng.integers(0, 255, (32, 48, 3), dtype=np.uint8))
        path = str(image.relative_to(root))
        sample['cameras'][name] = {'image': path, 'intrinsics': INTRINSICS, 'sensor2ego': CAMERA2EGO}
    if lidar:
        points = root / 'points' / f'{scene}-{index}.bin'
        points.parent.mkdir(parents=True, exist_ok=True)
        rng.uniform(-20, 20, (200, 5)).astype(np.float32).tofile(points)
        sample['lidar'] = {'points': str(points.relative_to(root)), 'sensor2ego': LIDAR2EGO}
    return sample


def write_samples(root: Path, samples: list[dict[str, Any]], name: str = 'train') -> Path:
    """Write a file of samples."""
    file = root / f'{name}.jsonl'
    file.write_text(''.join(f'{json.dumps(sample)}\n' for sample in samples))
    return file
