"""Losses that two ranks have to compute as one (tests/distributed)."""

import projects.pkd  # noqa: F401

ADAPTER = dict(type='ConvAdapter', student_channels=4, teacher_channels=5)
CASES = {'pattern of channels': dict(type='PearsonBEVLoss', adapter=ADAPTER)}
