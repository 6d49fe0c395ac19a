"""Transforms beyond mmdet3d's own."""

from .augmentation import refuse_with_cameras
from .images import ImageQueue, LoadCameraImages, ResizeCropCameras
from .pack import PackBEVInputs
from .points import LoadLidarPoints, LoadLidarSweeps
from .stages import build_camera_stages, build_stages

__all__ = [
    'ImageQueue',
    'LoadCameraImages',
    'LoadLidarPoints',
    'LoadLidarSweeps',
    'PackBEVInputs',
    'ResizeCropCameras',
    'build_camera_stages',
    'build_stages',
    'refuse_with_cameras',
]
