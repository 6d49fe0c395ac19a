"""Losses that two ranks have to compute as one (tests/distributed)."""

import projects.unidistill  # noqa: F401

ADAPTER = dict(type='ConvAdapter', student_channels=4, teacher_channels=5)
CASES = {
    'features at key points': dict(type='UniDistillFeatureLoss', adapter=ADAPTER),
    'relations of key points': dict(type='UniDistillRelationLoss'),
    'heatmaps near objects': dict(type='UniDistillResponseLoss'),
}
