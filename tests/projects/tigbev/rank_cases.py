"""Losses that two ranks have to compute as one (tests/distributed)."""

import projects.tigbev  # noqa: F401

# The two sides have different numbers of channels here.
CASES = {'relations of places': dict(type='InnerGeometryLoss', samples=4, channel_weight=0)}
