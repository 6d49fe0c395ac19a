from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bevdistill.synthetic.rig import CAMERAS, LIDAR, make_rig
from bevdistill.synthetic.settings import CameraSettings

STILL = CameraSettings(height=90, width=160, pitch_jitter=0.0, focal_jitter=0.0)


def test_lidar_frame_is_right_forward_up() -> None:
    lidar = make_rig(np.random.default_rng(0), STILL)[LIDAR]
    assert lidar.to_ego[:3, :3] @ [1, 0, 0] == pytest.approx([0, -1, 0])
    assert lidar.to_ego[:3, :3] @ [0, 1, 0] == pytest.approx([1, 0, 0])
    assert lidar.intrinsic is None


def test_cameras_look_where_their_names_say() -> None:
    rig = make_rig(np.random.default_rng(0), STILL)
    signs = {
        'CAM_FRONT': (1, 0), 'CAM_FRONT_LEFT': (1, 1), 'CAM_FRONT_RIGHT': (1, -1),
        'CAM_BACK': (-1, 0), 'CAM_BACK_LEFT': (-1, 1), 'CAM_BACK_RIGHT': (-1, -1),
    }  # fmt: skip
    for channel, (x, y) in signs.items():
        rotation = rig[channel].to_ego[:3, :3]
        assert rotation.T @ rotation == pytest.approx(np.eye(3), abs=1e-12)
        forward = rotation[:, 2]
        assert np.sign(forward[0]) == x
        assert abs(forward[1]) < 0.02 if y == 0 else np.sign(forward[1]) == y
        assert rotation[2, 1] < -0.99, 'image rows run down'
        assert np.allclose(rig[channel].to_ego[:3, 3], CAMERAS[channel].position)


def test_intrinsics_are_nuscenes_scaled_and_cropped_from_the_top() -> None:
    full = make_rig(np.random.default_rng(0), STILL)['CAM_FRONT'].intrinsic
    cropped = make_rig(np.random.default_rng(0), replace(STILL, height=64))['CAM_FRONT'].intrinsic
    assert full == pytest.approx(np.array([[126.6, 0, 81.4], [0, 126.6, 49.0], [0, 0, 1]]))
    assert cropped - full == pytest.approx(np.array([[0, 0, 0], [0, 0, -26.0], [0, 0, 0]]))


def test_jitter_is_one_draw_per_scene() -> None:
    settings = replace(STILL, pitch_jitter=3.0, focal_jitter=0.1)
    rigs = [make_rig(np.random.default_rng(seed), settings) for seed in range(8)]
    for rig in rigs:
        zoom = [rig[c].intrinsic[0, 0] / (CAMERAS[c].focal * 0.1) for c in CAMERAS]
        assert zoom == pytest.approx([zoom[0]] * 6)
        pitch = [np.degrees(np.arcsin(-rig[c].to_ego[2, 2])) for c in CAMERAS]
        assert np.std(pitch) < 0.6
    assert np.std([rig['CAM_FRONT'].to_ego[2, 2] for rig in rigs]) > 0.005
