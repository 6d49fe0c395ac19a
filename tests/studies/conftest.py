"""Fixtures of the tests of studies."""

from __future__ import annotations

from pathlib import Path

import pytest
from study_folder import StudyFolder

from bevdistill.studies import plot


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    """A study of a teacher, a student and a distilled student, with stand-ins for the commands."""
    return StudyFolder(tmp_path)


@pytest.fixture
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Results without the pictures of their table, which take longer to draw than a study of stand-ins to run."""
    monkeypatch.setattr(plot, 'save_plots', lambda *_: [])
