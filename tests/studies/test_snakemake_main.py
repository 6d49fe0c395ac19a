"""The scheduler of Snakemake takes what a single job uses, in versions that forget it."""

from __future__ import annotations

from typing import Any

import pytest

from bevdistill.studies.snakemake_main import take_what_single_jobs_use


class Forgetful:
    """As Snakemake 9.15 selects."""

    def __init__(self, cores: int) -> None:
        self.cores = cores
        self.job_selector_greedy = lambda jobs: jobs[: self.cores]

    def update_available_resources(self, selected: list[str]) -> None:
        self.cores -= len(selected)

    def job_selector(self, jobs: list[str]) -> Any:
        if len(jobs) == 1:
            return self.job_selector_greedy(jobs)
        selected = jobs[: self.cores]
        self.update_available_resources(selected)
        return selected


class Mended(Forgetful):
    def job_selector(self, jobs: list[str]) -> Any:
        selected = jobs[: self.cores]
        self.update_available_resources(selected)
        return selected


@pytest.mark.parametrize('kind', [Forgetful, Mended])
def test_a_single_job_is_taken_once(kind: type[Forgetful], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind, '__init__', kind.__init__)
    take_what_single_jobs_use(kind)
    scheduler = kind(2)
    assert scheduler.job_selector(['a']) == ['a']
    assert scheduler.cores == 1
    assert scheduler.job_selector(['b', 'c']) == ['b']
    assert scheduler.cores == 0


def test_the_installed_scheduler_has_what_is_mended() -> None:
    job_scheduler = pytest.importorskip('snakemake.scheduling.job_scheduler')
    assert callable(job_scheduler.JobScheduler.update_available_resources)
