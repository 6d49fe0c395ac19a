"""Define the shared language of students, teachers and losses; no model and no file format."""

from .bev_grid import BEVGrid
from .bev_outputs import BEVOutputs
from .box_code import BOX_SIZE, CODE_SIZE, decode_boxes, encode_boxes
from .precision import full_precision
from .targets import LABELLED, LOSS_WEIGHT, Targets, has_labels, no_ground_truth

__all__ = [
    'BOX_SIZE',
    'CODE_SIZE',
    'LABELLED',
    'LOSS_WEIGHT',
    'BEVGrid',
    'BEVOutputs',
    'Targets',
    'decode_boxes',
    'encode_boxes',
    'full_precision',
    'has_labels',
    'no_ground_truth',
]
