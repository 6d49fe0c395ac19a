"""The shared language of students, teachers and losses; no model in it."""

from .bev_grid import BEVGrid
from .bev_outputs import BEVOutputs
from .box_code import BOX_SIZE, CODE_SIZE, decode_boxes, encode_boxes
from .checkpoint_meta import BOX_CONVENTION, META_KEY
from .targets import Targets

__all__ = [
    'BOX_CONVENTION',
    'BOX_SIZE',
    'CODE_SIZE',
    'META_KEY',
    'BEVGrid',
    'BEVOutputs',
    'Targets',
    'decode_boxes',
    'encode_boxes',
]
