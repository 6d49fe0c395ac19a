"""Fixtures of the tests of studies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from quick_study import QuickStudy
from study_folder import StudyFolder

from bevdistill.studies import fingerprints, plot


@pytest.fixture(scope='session')
def checkout() -> tuple[fingerprints.Parts, dict[str, Any]]:
    """Hashes of the package, and its commit."""
    return fingerprints.code_parts(), fingerprints.code_version()


@pytest.fixture
def study(
    tmp_path: Path, checkout: tuple[fingerprints.Parts, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> StudyFolder:
    """A study of a teacher, a student and a distilled student, with stand-ins for the commands.

    What jobs in this process ask about the checkout is read once.
    """
    parts, version = checkout
    monkeypatch.setattr(fingerprints, 'code_parts', lambda folders=(): parts | fingerprints.folder_parts(folders))
    monkeypatch.setattr(fingerprints, 'code_version', lambda: version)
    return QuickStudy(tmp_path)


@pytest.fixture
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Results without the pictures of their table, which take longer to draw than a study of stand-ins to run."""
    monkeypatch.setattr(plot, 'save_plots', lambda *_: [])
