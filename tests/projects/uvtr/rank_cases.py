"""Losses that two ranks have to compute as one (tests/distributed)."""

import projects.uvtr  # noqa: F401

ADAPTER = dict(type='ConvAdapter', student_channels=4, teacher_channels=5)
CASES = {'partial L2 at centres': dict(type='SampledPartialL2', adapter=ADAPTER)}
