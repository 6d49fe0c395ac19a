"""Generate a procedural nuScenes: the real schema, a simulated world. Independent of the rest of the package."""

from .dataset import MARKER, VERSIONS, make_dataset, plan_scenes
from .presets import PRESETS, WEATHERS
from .settings import CameraSettings, LidarSettings, Preset, Weather, WorldSettings

__all__ = [
    'MARKER',
    'PRESETS',
    'VERSIONS',
    'WEATHERS',
    'CameraSettings',
    'LidarSettings',
    'Preset',
    'Weather',
    'WorldSettings',
    'make_dataset',
    'plan_scenes',
]
