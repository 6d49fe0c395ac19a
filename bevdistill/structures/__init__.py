"""The shared language of students, teachers and losses; no model in it."""

from .bev_grid import BEVGrid
from .bev_outputs import BEVOutputs
from .box_code import BOX_SIZE, CODE_SIZE, decode_boxes, encode_boxes
from .targets import Targets

__all__ = ['BOX_SIZE', 'CODE_SIZE', 'BEVGrid', 'BEVOutputs', 'Targets', 'decode_boxes', 'encode_boxes']
