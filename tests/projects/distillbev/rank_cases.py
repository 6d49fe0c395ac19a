"""Losses that two ranks have to compute as one (tests/distributed)."""

import projects.distillbev  # noqa: F401

ADAPTER = dict(type='ConvAdapter', student_channels=4, teacher_channels=5)
CASES = {'foreground and background': dict(type='DistillBEVLoss', adapter=ADAPTER)}
