"""What the terms of a log mean, and under which heading they stand."""

from __future__ import annotations

from .logs import DIAGNOSE

DIAGNOSTICS = {
    'diagnose/cka_bev': 'Agreement of the two maps from above, 0 to 1, whatever their scale or rotation (linear '
    'CKA). It should rise and stay; unrelated maps of C channels in N cells have about C / (C + N), not 0.',
    'diagnose/matched_distance_m': 'Metres between a box of the student and the one of the teacher that it learns '
    'from. It should fall.',
    'diagnose/score_gap': 'Calibration of the student: mean score less share of right boxes. Near 0 its scores mean '
    'what they say, above 0 it is too sure, below 0 too shy.',
    'diagnose/score_gap_teacher': 'The same of the teacher, which teaches its scores along with their gap.',
    'diagnose/dead_queries': "Share of the student's queries that in the last measured steps were matched to no "
    'object and never scored. It should fall.',
    'diagnose/effective_weights': 'How many pairs of a sample would count as much with equal weights, (sum w)² / sum '
    'w². Near 1 a single box teaches.',
}
"""Sentence about each diagnostic."""
SHARES = (
    "Norm of this term's gradient on the student's map from above, as a share of all terms' norms. Below 0.01 a term "
    'does next to nothing, above 0.9 it leaves the others no say.'
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
