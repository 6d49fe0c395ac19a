"""docs/experiments/profile_encoder.py on a small grid."""

from __future__ import annotations

import pytest
from docs.experiments import profile_encoder


def test_it_prints_both_sides(capsys: pytest.CaptureFixture[str], one_thread: None) -> None:
    profile_encoder.main(['--cells', '6', '--repeats', '2', '--history'])
    printed = capsys.readouterr().out
    for words in ('package: ', 'reference: ', 'time ratio ', 'memory ratio ', '| operator | share | calls |'):
        assert words in printed
    # The compiled sampling is the package's alone.
    ours, theirs = printed.split('\nreference\n')
    assert 'HostSampling' in ours
    assert 'HostSampling' not in theirs
