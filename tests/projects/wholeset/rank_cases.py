"""Losses that two ranks have to compute as one (tests/distributed)."""

import projects.wholeset  # noqa: F401

CASES = {
    'response of the whole set': dict(
        type='InstanceDistillLoss',
        pairing=dict(type='TeacherBoxPairing', max_boxes=4),
        quality=dict(type='ScoreQuality'),
        terms=dict(cls=dict(type='FocalResponseTerm', layers='all')),
    ),
    'response of all cells': dict(type='FocalHeatmapLoss'),
}
