"""The tests at both ends of the supported versions; no environment is made."""

from __future__ import annotations

import pytest

from tools import stacks


def test_files_that_are_run_exist() -> None:
    assert [name for name in stacks.TESTS if not (stacks.REPO / name).is_file()] == []


def test_unknown_stack(capsys: pytest.CaptureFixture[str]) -> None:
    assert stacks.main(['middle']) == 1
    assert capsys.readouterr().err.splitlines() == [
        "set-up: error: there is no stack 'middle'. Name low or high", 'set-up: stacks: middle failed']  # fmt: skip
