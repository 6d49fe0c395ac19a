"""Every recorded case is read by some test. Numbers: ``python tests/parity_table.py``."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent


def test_every_case_is_read() -> None:
    folder = Path(os.environ.get('BEVDISTILL_GOLDEN', TESTS.parents[1] / 'shared' / 'golden'))
    if not folder.is_dir():
        pytest.skip(f'no recorded outputs of the original modules at {folder.name}; set BEVDISTILL_GOLDEN')
    sources = '\n'.join(file.read_text() for file in TESTS.rglob('test_*.py') if file != Path(__file__))
    cases = {file.stem for file in folder.glob('*.json')}
    assert len(cases) > 20
    assert not [case for case in sorted(cases) if not re.search(rf"'{case}'", sources)]
