"""Variables that commands read have values that there are, before anything is loaded."""

from __future__ import annotations

import inspect
import os

import pytest
from cli_runs import Run

from bevdistill.cli.environment import CHOICES, check_environment, let_threads_sleep
from bevdistill.cli.main import main
from bevdistill.layers.sampling import backend


def test_choices_are_those_of_the_sampling() -> None:
    (name, allowed), = CHOICES.items()
    assert name == backend.VARIABLE
    assert all(f"'{word}'" in inspect.getsource(backend.backend_of) for word in allowed)
    for word in ('', *allowed):
        assert check_environment({name: word, 'RANK': '3', 'WORLD_SIZE': '4', 'LOCAL_RANK': '0'}) == []


@pytest.mark.parametrize(('variables', 'message'), [
    (dict(BEVDISTILL_SAMPLING='bogus'), r"^BEVDISTILL_SAMPLING='bogus': expected triton, mmcv, reference, or no such"),
    (dict(RANK='first'), r"^RANK='first': expected a whole number from 0 on"),
    (dict(LOCAL_RANK='-1'), r"^LOCAL_RANK='-1': expected a whole number"),
    (dict(RANK='2', WORLD_SIZE='2'), r'^RANK=2, WORLD_SIZE=2: expected a rank below the number of processes'),
])  # fmt: skip
def test_values_that_cannot_be(variables: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_environment(variables)


def test_a_folder_that_is_gone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> str:
        raise FileNotFoundError(2, 'No such file or directory')

    monkeypatch.setattr(os, 'getcwd', gone)
    assert run('ls').error == 'bevdistill ls: error: the current folder has been removed; change to one that is there'


def test_every_verb_looks(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('BEVDISTILL_SAMPLER', 'mmcv')
    assert 'BEVDISTILL_SAMPLER is not read; did you mean BEVDISTILL_SAMPLING?' in run('ls', 'synthetic').err
    monkeypatch.setenv('BEVDISTILL_SAMPLING', 'cuda')
    done = run('describe', 'absent.py')
    assert (done.code, done.error.count('\n')) == (1, 0)
    assert "BEVDISTILL_SAMPLING='cuda': expected triton" in done.error


def test_threads_sleep_while_they_wait_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OMP_WAIT_POLICY', 'ACTIVE')
    let_threads_sleep()
    assert os.environ['OMP_WAIT_POLICY'] == 'ACTIVE'
    monkeypatch.delenv('OMP_WAIT_POLICY')
    let_threads_sleep()
    assert os.environ['OMP_WAIT_POLICY'] == 'PASSIVE'


def test_a_command_lets_threads_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setenv('OMP_WAIT_POLICY', '')
    monkeypatch.delenv('OMP_WAIT_POLICY')
    monkeypatch.setattr('bevdistill.cli.ls.run', lambda args: seen.append(os.environ['OMP_WAIT_POLICY']))
    assert main(['ls']) == 0
    assert seen == ['PASSIVE']
