"""Public checkpoints of the original authors in this package's names and conventions."""

from .conventions import BEVFORMER_CLASSES, CLASSES, to_new_boxes, to_own_classes
from .files import ConvertedFile, convert_file
from .report import conversion_lines, conversion_rows
from .weights import Conversion, Entry, check_kind, convert_weights

__all__ = [
    'BEVFORMER_CLASSES',
    'CLASSES',
    'Conversion',
    'ConvertedFile',
    'Entry',
    'check_kind',
    'conversion_lines',
    'conversion_rows',
    'convert_file',
    'convert_weights',
    'to_new_boxes',
    'to_own_classes',
]
