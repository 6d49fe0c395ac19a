"""Run Snakemake with a fault of 9.15 mended: ``python -m bevdistill.studies.snakemake_main ARGUMENTS``.

A round that starts a single job does not take its cores and resources, but they are given back when the job ends, so
that one more job than allowed runs from then on: ``JobScheduler.job_selector`` returns before it calls
``update_available_resources``. Later versions, which ask for an older ``packaging`` than the pinned one, are right.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any


def take_what_single_jobs_use(scheduler: type) -> None:
    """Let a scheduler take cores and resources of single jobs too, where it has the shortcut."""
    if 'len(jobs) == 1' not in inspect.getsource(scheduler.job_selector):  # type: ignore[attr-defined]
        return
    begin = scheduler.__init__  # type: ignore[misc]

    def mended(self: Any, *args: Any, **options: Any) -> None:
        begin(self, *args, **options)
        select = self.job_selector_greedy

        def take(*selection: Any) -> Sequence[Any]:
            chosen: Sequence[Any] = select(*selection)
            self.update_available_resources(chosen)
            return chosen

        self.job_selector_greedy = take

    scheduler.__init__ = mended  # type: ignore[misc]


if __name__ == '__main__':
    from snakemake.cli import main
    from snakemake.scheduling.job_scheduler import JobScheduler

    take_what_single_jobs_use(JobScheduler)
    main()
