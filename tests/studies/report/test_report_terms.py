"""Headings of the terms of a log, and the sentences about diagnostics."""

from __future__ import annotations

import pytest

from bevdistill.studies.report.terms import DIAGNOSTICS, HEADINGS, SHARES, group_of, sentence


@pytest.mark.parametrize(('term', 'heading'), [
    ('loss', 'Loss'),
    ('distill.dense.loss', 'Terms of the distillation'),
    ('distill.instance.loss_cls', 'Terms of the distillation'),
    ('distill.dense.weight', 'Other'),
    ('loss_cls', 'Terms of detection'),
    ('d0.loss_bbox', 'Terms of detection'),
    ('loss_scale', 'Terms of detection'),
    ('loss.scale', 'Other'),
    ('lr', 'Other'),
    ('time', 'Other'),
    ('diagnose/cka_bev', ''),
    ('diagnose/gradient_share/loss', ''),
])  # fmt: skip
def test_the_heading_of_a_term(term: str, heading: str) -> None:
    assert group_of(term) == heading
    assert not heading or heading in HEADINGS


def test_only_what_is_not_trained_is_folded() -> None:
    assert [name for name, folded in HEADINGS.items() if folded] == ['Other']


@pytest.mark.parametrize(('term', 'words'), [
    ('diagnose/gradient_share/distill.dense', SHARES), ('diagnose/gradient_share/', SHARES),
    ('diagnose/score_gap', DIAGNOSTICS['diagnose/score_gap']), ('diagnose/unheard_of', ''), ('gradient_share/a', ''),
    ('loss', ''),
])  # fmt: skip
def test_what_a_diagnostic_says(term: str, words: str) -> None:
    assert sentence(term) == words
