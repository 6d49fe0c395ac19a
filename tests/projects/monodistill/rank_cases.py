"""Losses that two ranks have to compute as one (tests/distributed)."""

import projects.monodistill  # noqa: F401

ADAPTER = dict(type='AdaptationBlock', student_channels=4, teacher_channels=5)
CASES = {
    'object and scene features': dict(type='MonoDistillFeatureLoss', adapter=ADAPTER),
    'object and scene features, cosines': dict(type='MonoDistillFeatureLoss', adapter=ADAPTER, cells=4, cosine=True),
}
