"""Name the detection classes and attributes of nuScenes in mmdet3d's order, and fields, without heavy imports."""

from __future__ import annotations

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
