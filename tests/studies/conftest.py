"""Fixtures of the tests of studies."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from quick_study import ForkedSnakemake, QuickStudy
from study_folder import StudyFolder

from bevdistill.studies import fingerprints, plot, workflow


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


@pytest.fixture
def forked_snakemake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Snakemake in forks; that of test_slurm.py and test_real_study.py is started as users do."""
    monkeypatch.setattr(workflow, 'subprocess', SimpleNamespace(**vars(subprocess) | dict(Popen=ForkedSnakemake)))
