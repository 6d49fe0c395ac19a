"""Name the detection classes and attributes of nuScenes in mmdet3d's order, and fields, without heavy imports."""

from __future__ import annotations

import hashlib
import re

from ...structures.cameras import CAMERAS

CATEGORIES = (
    'car', 'truck', 'trailer', 'bus', 'construction_vehicle', 'bicycle', 'motorcycle', 'pedestrian', 'traffic_cone',
    'barrier',
)  # fmt: skip
"""``mmdet3d.datasets.convert_utils.nus_categories``: the index is the label."""

NO_ATTRIBUTE = 'None'
ATTRIBUTES = (
    'cycle.with_rider', 'cycle.without_rider', 'pedestrian.moving', 'pedestrian.standing',
    'pedestrian.sitting_lying_down', 'vehicle.moving', 'vehicle.parked', 'vehicle.stopped', NO_ATTRIBUTE,
)  # fmt: skip
"""``mmdet3d.datasets.convert_utils.nus_attributes``."""

TEMPORAL_FIELDS = (
    'scene_token',
    'frame_idx',
    'prev',
    'next',
    'can_bus',
    'ego2global_rotation',
    'ego2global_translation',
)
"""Fields of a record beyond mmdet3d's own."""

DEFAULT_PREFIX = {
    'pts': 'samples/LIDAR_TOP',
    'sweeps': 'sweeps/LIDAR_TOP',
    **{camera: f'samples/{camera}' for camera in CAMERAS},
}
"""nuScenes' folders of the sensors, relative to its root."""


def name_of_file(token: str) -> str:
    """Return a token as the name of a file in a folder of ours; its hash where it could lead out of the folder."""
    return token if re.fullmatch(r'[\w-]{1,200}', token) else hashlib.sha256(token.encode()).hexdigest()[:32]
