"""What a checkpoint of ours says about itself, agreed on by those who write it and those who read it."""

META_KEY = 'bevdistill'
"""Entry of a checkpoint's ``meta`` that holds class names, range, box convention and, for a distiller, the teacher."""

BOX_CONVENTION = 'mmdet3d>=1.0'
"""Boxes as mmdet3d has had them since 1.0: sizes are length, width, height; yaw grows counter-clockwise from x."""
