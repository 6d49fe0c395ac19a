"""Load nuScenes: information files, the T-frame data set, transforms, samplers, the preprocessor."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .ego_pose import absolute_can_bus
    from .grid_mask import GridMask
    from .infos import TEMPORAL_FIELDS, create_nuscenes_infos
    from .labelled_ratio_sampler import LabelledRatioSampler
    from .partly_labelled import PartlyLabelledDataset
    from .preprocessor import BEVDataPreprocessor
    from .queues import QUEUE_RULES
    from .samplers import SceneBatchSampler
    from .seeded_index import SeededDataset, SeededIndex, SeededSampler
    from .sequence_dataset import SequenceNuScenesDataset
    from .transforms import (
        ImageQueue,
        LoadCameraImages,
        LoadLidarPoints,
        LoadLidarSweeps,
        PackBEVInputs,
        ResizeCropCameras,
        build_stages,
    )

__all__ = [
    'QUEUE_RULES',
    'TEMPORAL_FIELDS',
    'BEVDataPreprocessor',
    'GridMask',
    'ImageQueue',
    'LabelledRatioSampler',
    'LoadCameraImages',
    'LoadLidarPoints',
    'LoadLidarSweeps',
    'PackBEVInputs',
    'PartlyLabelledDataset',
    'ResizeCropCameras',
    'SceneBatchSampler',
    'SeededDataset',
    'SeededIndex',
    'SeededSampler',
    'SequenceNuScenesDataset',
    'absolute_can_bus',
    'build_stages',
    'create_nuscenes_infos',
]

__getattr__ = lazy_names(__name__)
