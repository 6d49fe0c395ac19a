"""A host is cut off: the job ends with a clear error, resumes, and ends as an undisturbed one does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import two_hosts

ASK = 'BEVDISTILL_TWO_HOSTS'


@pytest.mark.slow
def test_a_cut_run_resumes_to_the_weights_of_an_undisturbed_one(
    synthetic_root: Path, synthetic_infos: Path, tmp_path: Path
) -> None:
    if not os.environ.get(ASK):
        pytest.skip(f'three trainings on two simulated hosts take over a minute; ask for them with {ASK}=1')
    obstacle = two_hosts.obstacle()
    if obstacle is not None:
        pytest.skip(f'this machine cannot play two hosts: {obstacle}')
    outcome = two_hosts.play(synthetic_root, synthetic_infos, tmp_path)
    print(outcome)
    for rank, (seconds, message) in enumerate(zip(outcome.seconds, outcome.messages, strict=True)):
        # The time-out, and what the processes need to end: less than for a whole run, on a busy machine too.
        assert outcome.timeout / 2 < seconds < outcome.timeout + max(60, outcome.durations[0])
        assert f'rank {rank} lost contact with the other processes of the run' in message
        assert f'{outcome.resumed_from} is whole; start all hosts again with --resume auto' in message
    every = two_hosts.CHECKPOINT_EVERY
    # The first, unless the machine was too busy to pull the cable before the next one.
    assert outcome.resumed_from in [f'iter_{step}.pth' for step in range(every, two_hosts.STEPS, every)]
    assert outcome.difference == 0.0


def test_without_the_rights_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two_hosts.shutil, 'which', lambda name: None)
    assert two_hosts.obstacle() == 'the command ip (package iproute2) is not there'
    monkeypatch.undo()

    def refuse(*words: str) -> None:
        raise OSError(f'ip {" ".join(words)}: Operation not permitted')

    monkeypatch.setattr(two_hosts, 'ip', refuse)
    monkeypatch.setattr(two_hosts.shutil, 'which', lambda name: name)
    assert str(two_hosts.obstacle()).endswith('Operation not permitted')
