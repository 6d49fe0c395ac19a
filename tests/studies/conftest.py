"""Fixtures of the tests of studies."""

from __future__ import annotations

from pathlib import Path

import pytest
from study_folder import StudyFolder


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    """A study of a teacher, a student and a distilled student, with stand-ins for the commands."""
    return StudyFolder(tmp_path)
