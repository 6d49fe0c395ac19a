"""Distillation losses, one idea per file."""

from .adapters import ConvAdapter, LinearAdapter
from .bev_contrast import BEVContrastLoss
from .box_lattice import box_lattice, sample_boxes, sample_places
from .critics import MLPCritic
from .dense import DenseBEVLoss
from .foreground import (
    AllCells,
    CellMask,
    HardForeground,
    PredictedForeground,
    QuerySampledForeground,
    Region,
    SoftForeground,
)
from .heatmap_distill import HeatmapDistillLoss
from .info_nce import info_nce
from .instance import InstanceDistillLoss
from .instance_pairs import InstancePairs
from .instance_terms import BoxCodeTerm, InstanceTerm, SoftClassTerm, StateL1Term
from .map_loss import MapLoss
from .pairing import GroundTruthPairing, Pairer, Pairing, TeacherBoxes, TeacherBoxPairing
from .quality import Quality, ScoreIoUQuality, ScoreQuality, UniformQuality, Weights
from .state_contrast_term import StateContrastTerm
from .teacher_scale import TeacherScale

__all__ = [
    'AllCells',
    'BEVContrastLoss',
    'BoxCodeTerm',
    'CellMask',
    'ConvAdapter',
    'DenseBEVLoss',
    'GroundTruthPairing',
    'HardForeground',
    'HeatmapDistillLoss',
    'InstanceDistillLoss',
    'InstancePairs',
    'InstanceTerm',
    'LinearAdapter',
    'MLPCritic',
    'MapLoss',
    'Pairer',
    'Pairing',
    'PredictedForeground',
    'Quality',
    'QuerySampledForeground',
    'Region',
    'ScoreIoUQuality',
    'ScoreQuality',
    'SoftClassTerm',
    'SoftForeground',
    'StateContrastTerm',
    'StateL1Term',
    'TeacherBoxPairing',
    'TeacherBoxes',
    'TeacherScale',
    'UniformQuality',
    'Weights',
    'box_lattice',
    'info_nce',
    'sample_boxes',
    'sample_places',
]
