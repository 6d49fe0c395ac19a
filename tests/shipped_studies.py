"""The study files of the repository, whose comparison projects can be deleted."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from bevdistill.studies.spec import StudySpec, load_study

REPO = Path(__file__).resolve().parents[1]
STUDIES = sorted((REPO / 'configs' / 'studies').glob('*.yml'))


@cache
def shipped_study(file: Path) -> StudySpec:
    """The study; the test is skipped if one of its projects is not here."""
    missing = [name for name in re.findall(r'config: (projects/\S+)', file.read_text()) if not (REPO / name).is_file()]
    if missing:
        pytest.skip(f'comparison projects can be deleted, and these are not here: {missing}')
    return load_study(file)
