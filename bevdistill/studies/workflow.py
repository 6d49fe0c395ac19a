"""Run a study's jobs on Snakemake: the generated Snakefile, the process that runs it, and what is shown meanwhile."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from .graph import held_out_name
from .monitor import Monitor
from .plan import Plan
from .records import Record, host, now
from .run_job import die_with, environment, tail
from .screen import Bars, Lines
from .spec import ROOT

POLL_SECONDS = 0.3
STOP_SECONDS = 30.0
PROFILES = ROOT / 'configs' / 'studies' / 'profiles'

ON_GPU = ('run', 'cache', 'held_out')
"""Kinds of jobs that use a GPU where there is one."""

SNAKEFILE = """\
# Written anew by each `bevdistill study run`; jobs.json has every command. A file in done/ says that a job is done.
import json

JOBS = json.load(open('jobs.json'))['jobs']
TARGETS = {targets}


rule all:
    input: [f'done/{{name}}' for name in TARGETS]


for place, (name, job) in enumerate(JOBS.items()):
    rule:
        name: name
        input: [f'done/{{need}}' for need in job['needs']]
        output: f'done/{{name}}'
        params: job=name
        priority: len(JOBS) - place
        threads: {threads}
        resources:
            gpu=int(job['kind'] in {on_gpu}),
        shell: 'exec "{python}" -m bevdistill.studies.run_job . {{params.job}} --threads {{threads}} --parent $PPID'
"""


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def side_by_side(plan: Plan, names: Sequence[str], cores: int) -> int:
    """Return how many of some jobs can run at a time: the largest number at one depth of the graph, or the cores.

    Pictures do not count: they take seconds, and many of them would leave a training one thread.
    """
    depth: dict[str, int] = {}
    for name in names:
        depth[name] = 1 + max((depth.get(need, 0) for need in plan.jobs[name].needs), default=0)
    levels = [level for name, level in depth.items() if plan.jobs[name].kind != 'picture']
    return min(cores, max(map(levels.count, levels), default=1))


def command(cores: int, profile: str | None) -> list[str]:
    """Return Snakemake's command line.

    Records, not file times, say what is out of date, so no trigger is wanted but one that never fires; a job that was
    killed is run again, since its record may be ahead of its marker. Without a profile one job at a time uses a GPU.
    """
    shipped = PROFILES / (profile or '')
    where = ['--profile', str(shipped if shipped.is_dir() else profile)] if profile else ['--cores', str(cores)]
    where += ['--resources', 'gpu=1'] if shutil.which('nvidia-smi') and not profile else []
    return [
        sys.executable, '-m', 'bevdistill.studies.snakemake_main', '--snakefile', 'Snakefile', *where,
        '--keep-going', '--rerun-incomplete', '--nolock', '--rerun-triggers', 'software-env',
        '--scheduler', 'greedy', '--latency-wait', '60',
    ]  # fmt: skip


@contextlib.contextmanager
def alone(out: Path) -> Iterator[None]:
    """Hold an output folder; the lock of a process that has died is free.

    Raises:
        ValueError: If another process works on it; names it.
    """
    out.mkdir(parents=True, exist_ok=True)
    owner = out / 'locks' / 'study.owner'
    lock = FileLock(out / 'study.lock')
    try:
        lock.acquire(timeout=0)
    except Timeout:
        who = owner.read_text(encoding='utf-8') if owner.exists() else 'another process'
        raise ValueError(f'{out} is run by {who}; wait for it, or take another folder: --out DIR') from None
    try:
        owner.parent.mkdir(exist_ok=True)
        owner.write_text(f'process {os.getpid()} on {host()} since {now()}', encoding='utf-8')
        yield
    finally:
        lock.release()


class Workflow:
    """Snakemake on a plan.

    Args:
        plan: The study.
        names: The jobs to run.
        head: What the manifest begins with.
        cores: Cores of this machine to use.
        threads: Threads of each job; None for cores over jobs that can run side by side.
        profile: Snakemake profile, of configs/studies/profiles or the user's own, or None.
    """

    def __init__(
        self, plan: Plan, names: Sequence[str], head: Record, cores: int, threads: int | None, profile: str | None
    ) -> None:
        self._plan, self._names, self._head, self._profile = plan, names, head, profile
        self.threads = threads or (1 if profile else max(1, cores // side_by_side(plan, names, cores)))
        self._cores, self._cluster = cores, profile is not None
        self._log = plan.folder.path / 'logs' / 'snakemake.log'

    def run(self, screen: Lines | Bars) -> dict[str, str]:
        """Run the jobs; returns the state of each.

        Raises:
            ChildProcessError: If Snakemake fails although no job did.
        """
        if importlib.util.find_spec('snakemake') is None:
            raise ValueError("studies run on Snakemake, which is not installed: pip install 'bevdistill[studies]'")
        self._forget_earlier_ends()
        at_a_time = None if self._cluster else max(1, self._cores // self.threads)
        monitor = Monitor(self._plan, self._names, at_a_time)
        if all(state == 'done' for state in monitor.states.values()):
            self._manifest()
            return monitor.states
        process = self._start()
        try:
            while process.poll() is None:
                self._look(monitor, screen)
                time.sleep(POLL_SECONDS)
        finally:
            if process.poll() is None:
                self._stop(process)
            self._look(monitor, screen)
            self._manifest()
        if process.returncode != 0 and not {'failed', 'stale'} & set(monitor.states.values()):
            raise ChildProcessError(f'Snakemake failed:\n{tail(self._log)}\nthe whole log: {self._log}')
        return monitor.states

    def _forget_earlier_ends(self) -> None:
        """Mark as stopped what failed or was killed in an earlier start."""
        for name in self._names:
            record = self._plan.folder.read(name)
            if record.get('state', 'done') != 'done' and not self._plan.folder.is_running(name):
                self._plan.folder.write(name, dict(record, state='stopped'))

    def _start(self) -> subprocess.Popen[bytes]:
        out = self._plan.folder.path
        rules = dict(targets=list(self._names), threads=self.threads, on_gpu=ON_GPU)
        (out / 'Snakefile').write_text(SNAKEFILE.format(python=sys.executable, **rules), encoding='utf-8')
        self._log.parent.mkdir(parents=True, exist_ok=True)
        words = command(self._cores, self._profile)
        parent = os.getpid()
        self._manifest()
        with self._log.open('w', encoding='utf-8') as log:
            return subprocess.Popen(
                words, cwd=out, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env=environment(self.threads), start_new_session=True, preexec_fn=lambda: die_with(parent),
            )  # fmt: skip

    def _look(self, monitor: Monitor, screen: Lines | Bars) -> None:
        lines = monitor.look()
        for line in lines:
            screen.say(line)
        if lines:
            self._manifest()
        screen.show(monitor)

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        """End Snakemake and all below it; on a cluster it is asked first, so that it cancels what it has submitted."""
        family = psutil.Process(process.pid).children(recursive=True)
        if self._cluster:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
        process.kill()
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        process.wait()
        psutil.wait_procs(family, timeout=STOP_SECONDS)
        self._forget_earlier_ends()

    def _manifest(self) -> None:
        """Write the manifest: all jobs of the plan, and earlier tests on the held-out world."""
        tested = [name for name in map(held_out_name, self._plan.jobs) if self._plan.folder.record_file(name).exists()]
        kinds = {name: job.kind for name, job in self._plan.jobs.items()}
        self._plan.folder.write_manifest(self._head, kinds | dict.fromkeys(tested, 'held_out'))
