"""What the terms of a log mean, and under which heading they stand."""

from __future__ import annotations

from .logs import DIAGNOSE

DIAGNOSTICS = {
    'diagnose/cka_bev': 'Likeness of the two maps from above (centred kernel alignment): 1 where student and teacher '
    'describe the cells alike up to rotation and scale, 0 where they have nothing in common.',
    'diagnose/matched_distance_m': 'Metres between a box of the teacher and the box of the student that is matched to '
    'it: less is better.',
    'diagnose/score_gap': 'Score of the teacher less that of the student, for matched boxes: above 0 the student is '
    'less sure than the teacher, below 0 surer.',
    'diagnose/dead_queries': "Share of the student's queries that find nothing in any sample.",
    'diagnose/effective_weights': 'How many pairs the quality weights come to: equal weights count all pairs, one '
    'heavy pair counts as one.',
}
"""Sentence about each diagnostic."""
SHARES = (
    'Part of the gradient at the map from above that this loss has. A loss with a share near 0 does not teach, one '
    'near 1 drowns the others.'
)
HEADINGS = {'Loss': False, 'Terms of the distillation': False, 'Terms of detection': False, 'Other': True}
"""Of the charts of a training's log, and whether they are folded."""


def sentence(term: str) -> str:
    """Return what a diagnostic says, '' where that is not known."""
    if term.startswith(f'{DIAGNOSE}gradient_share/'):
        return SHARES
    return DIAGNOSTICS.get(term, '')


def group_of(term: str) -> str:
    """Return the heading of a term of a training's log; '' of diagnostics, which have a section of their own."""
    if term.startswith(DIAGNOSE):
        return ''
    if term == 'loss':
        return 'Loss'
    if 'loss' not in term.rsplit('.', 1)[-1]:
        return 'Other'
    return 'Terms of the distillation' if term.startswith('distill.') else 'Terms of detection'
