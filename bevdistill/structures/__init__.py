"""The shared language of students, teachers and losses; no model in it."""

from .bev_grid import BEVGrid
from .bev_outputs import BEVOutputs
from .box_code import BOX_SIZE, CODE_SIZE, decode_boxes, encode_boxes
from .targets import Targets

__all__ = ['BEVGrid', 'BEVOutputs', 'BOX_SIZE', 'CODE_SIZE', 'Targets', 'decode_boxes', 'encode_boxes']
