"""Every recorded case is read by some test. Numbers: ``python tests/parity_table.py``."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
NOTHING_TO_COMPARE = {
    # BEVFormer predicts no depth of image pixels.
    'methods/tigbev_inner_depth',
    # A detector of queries has no maps of offsets, sizes and headings.
    'methods/monodistill_head',
}


def test_every_case_is_read() -> None:
    folder = Path(os.environ.get('BEVDISTILL_GOLDEN', TESTS.parents[1] / 'shared' / 'golden'))
    if not folder.is_dir():
        pytest.skip(f'no recorded outputs of the original modules at {folder.name}; set BEVDISTILL_GOLDEN')
    sources = '\n'.join(file.read_text() for file in TESTS.rglob('test_*.py') if file != Path(__file__))
    cases = {str(file.relative_to(folder).with_suffix('')) for file in folder.rglob('*.json')}
    # A project can be deleted with its tests.
    deleted = {
        case
        for case in cases
        if case.startswith('methods/') and not (TESTS / 'projects' / re.split('[/_]', case)[1]).is_dir()
    }
    cases -= NOTHING_TO_COMPARE | deleted
    assert len(cases) > 20
    assert not [case for case in sorted(cases) if not re.search(rf"'{case}'", sources)]
