"""Define the shared language of students, teachers and losses; no model and no file format."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .bev_grid import BEVGrid
    from .bev_outputs import BEVOutputs
    from .box_code import BOX_SIZE, CODE_SIZE, decode_boxes, encode_boxes
    from .precision import full_precision
    from .strict_config import register_old_name, strict_from_dict
    from .targets import (
        LABELLED,
        LOSS_WEIGHT,
        Targets,
        has_labels,
        keep_host_sizes,
        missing_ground_truth_message,
    )

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
    'keep_host_sizes',
    'missing_ground_truth_message',
    'register_old_name',
    'strict_from_dict',
]

__getattr__ = lazy_names(__name__)
