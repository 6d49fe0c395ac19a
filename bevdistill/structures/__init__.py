"""The shared language of students, teachers and losses; no model in it."""

from .bev_grid import BEVGrid
from .bev_outputs import BEVOutputs
from .box_code import BOX_SIZE, CODE_SIZE, decode_boxes, encode_boxes
from .checkpoint_file import ForeignCheckpoint, read_foreign_checkpoint, weights_below
from .checkpoint_meta import BOX_CONVENTION, META_KEY
from .public_weights import (
    CONVERTER,
    KINDS,
    convention_unknown,
    conversion_advice,
    likely_kind,
    unreadable_advice,
    without_wrapper,
)
from .targets import LABELLED, LOSS_WEIGHT, Targets, has_labels, no_ground_truth

__all__ = [
    'BOX_CONVENTION',
    'BOX_SIZE',
    'CODE_SIZE',
    'CONVERTER',
    'KINDS',
    'LABELLED',
    'LOSS_WEIGHT',
    'META_KEY',
    'BEVGrid',
    'BEVOutputs',
    'ForeignCheckpoint',
    'Targets',
    'convention_unknown',
    'conversion_advice',
    'decode_boxes',
    'encode_boxes',
    'has_labels',
    'likely_kind',
    'no_ground_truth',
    'read_foreign_checkpoint',
    'unreadable_advice',
    'weights_below',
    'without_wrapper',
]
