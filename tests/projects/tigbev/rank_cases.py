"""Losses that two ranks have to compute as one (tests/distributed)."""

import projects.tigbev  # noqa: F401

EMBEDDING = dict(type='LinearAdapter', student_channels=4, teacher_channels=5)
CASES = {'relations of places and channels': dict(type='InnerGeometryLoss', samples=4, embedding=EMBEDDING)}
