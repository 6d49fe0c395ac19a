"""Verbs in this process: importing the stack once is enough."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_runs import Done, Run
from made_up_runs import write_run  # noqa: F401

from bevdistill.cli.main import main

TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """``run('train', *words)`` runs a verb."""

    def call(*words: object) -> Done:
        capsys.readouterr()
        try:
            code = main(list(map(str, words)))
        except SystemExit as end:
            code = int(end.code or 0)
        return Done(code, *capsys.readouterr())

    return call


@pytest.fixture
def toy_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, from which configs can import tests/toy_run.py."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(TESTS)
    return tmp_path
