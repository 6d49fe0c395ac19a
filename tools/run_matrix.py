#!/usr/bin/env python
"""Train and test the rows of a study over seeds: resumable at every point, several at a time, one manifest."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.command_line import make_parser, positive

EXAMPLES = """
examples:
  # what would be run, with every command
  tools/run_matrix.py configs/synthetic/matrix/demo.yml --dry-run

  # run it; the same command goes on after a stop, a crash or a kill, and does nothing when all is done
  tools/run_matrix.py configs/synthetic/matrix/demo.yml

  # two jobs side by side, one thread each; some rows only
  tools/run_matrix.py MATRIX.yml --jobs 2 --only baseline fitnet

  # a Slurm array on a shared disk: number the jobs, teacher first, then all that need it
  tools/run_matrix.py MATRIX.yml --list
  sbatch --array=0-1 --wrap='tools/run_matrix.py MATRIX.yml --job $SLURM_ARRAY_TASK_ID'
  sbatch --array=2-60 --dependency=afterok:JOB --wrap='tools/run_matrix.py MATRIX.yml --job $SLURM_ARRAY_TASK_ID'

  # the table: mean, spread, paired difference to the base row with its 95 % interval
  tools/analysis_tools/compare.py work_dirs/NAME/manifest.json --out results

  # at the end, once: all runs on the second validation world
  tools/run_matrix.py MATRIX.yml --final

docs/matrix.md has the format of MATRIX.yml and of the manifest.
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__doc__, EXAMPLES)
    parser.add_argument('matrix', type=Path, metavar='MATRIX.yml', help='matrix file')
    parser.add_argument('--out', type=Path, metavar='DIR', help='output folder (default: work_dirs/<matrix name>)')
    parser.add_argument('--data', type=Path, metavar='DIR', help="data root in place of the file's")
    parser.add_argument('--second-data', type=Path, metavar='DIR', help="second world in place of the file's")
    parser.add_argument('--jobs', type=positive, default=1, metavar='N', help='jobs at a time (default: 1)')
    parser.add_argument('--threads', type=positive, metavar='N', help='threads of each (default: cores / jobs)')
    parser.add_argument('--only', nargs='+', default=[], metavar='ROW', help='these rows and what they need')
    parser.add_argument(
        '--stale',
        choices=('refuse', 'keep', 'redo'),
        default='refuse',
        help='results of another config, code or data: stop and name them (default), count them, or make them again',
    )
    parser.add_argument('--final', action='store_true', help='when all is done, test on the second world too, once')
    what = parser.add_mutually_exclusive_group()
    what.add_argument('--list', action='store_true', help='print the jobs with number and state')
    what.add_argument('--dry-run', action='store_true', help='print what would be run')
    what.add_argument('--job', type=int, metavar='K', help='run one job, by its number')
    parser.add_argument('--every', type=float, default=60.0, metavar='S', help='seconds between lines of progress (60)')
    return parser.parse_args(argv)


class Study:
    """A matrix file with its folder: what the command line acts on."""

    def __init__(self, args: argparse.Namespace, tools: Path | None = None) -> None:
        from tools.matrix_run.identity import Library
        from tools.matrix_run.jobs import JobBuilder
        from tools.matrix_run.layout import Layout
        from tools.matrix_run.records import Records
        from tools.matrix_run.spec import REPO, load_matrix

        self.matrix = load_matrix(args.matrix)
        out = args.out.absolute() if args.out else REPO / 'work_dirs' / self.matrix.name
        second = args.second_data or (REPO / self.matrix.second_data if self.matrix.second_data else None)
        data = (args.data or REPO / self.matrix.data).absolute()
        self.layout = Layout(out, data, second.absolute() if second else None, tools or REPO / 'tools')
        self.records, self.library = Records(out), Library(out / 'known')
        builder = JobBuilder(self.matrix, self.layout, self.records, self.library)
        self.jobs = builder.build(args.final, args.only)
        self.all_jobs = builder.names


def list_jobs(study: Study) -> None:
    """Print the jobs with number, state and what they wait for."""
    from tools.matrix_run.locks import held

    running = held(study.layout.out / 'locks', [job.name for job in study.jobs])
    numbers = {job.name: number for number, job in enumerate(study.jobs)}
    width = max(len(job.name) for job in study.jobs)
    for number, job in enumerate(study.jobs):
        state = study.records.read(job.name).get('state', 'waiting')
        state = 'running' if job.name in running else 'stopped' if state == 'running' else state
        needs = '' if job.kind == 'final' else ', '.join(f'{numbers.get(need, "?")} {need}' for need in job.needs)
        print(f'{number:4d}  {job.name.ljust(width)}  {state.ljust(8)}' + (f'  after {needs}' if needs else ''))


def dry_run(study: Study) -> None:
    """Print the commands of what is not done; inputs that are not there yet by the name of their run."""
    import shlex

    for job in study.jobs:
        stages = job.stages(study.records.read(job.name))
        print(f'{job.name}: ' + (', '.join(stage.name for stage in stages) or 'done'))
        for stage in stages:
            try:
                print(f'    {shlex.join(stage.command())}')
            except KeyError:
                print(f'    ({stage.name}: its command names the checkpoint of a run that is not done yet)')


def run(study: Study, args: argparse.Namespace, say: Callable[[str], None], start: Any = None) -> int:
    """Run the jobs; returns the exit status."""
    from tools.matrix_run.outlook import manifest_head, usable_cores
    from tools.matrix_run.programs import Child
    from tools.matrix_run.scheduler import Scheduler
    from tools.matrix_run.stale import Verdict

    jobs = study.jobs if args.job is None else [study.jobs[args.job]]
    if args.job is not None:
        missing = [need for need in jobs[0].needs if study.records.read(need).get('state') != 'done']
        if missing:
            raise ValueError(f'job {args.job}, {jobs[0].name}, needs {", ".join(missing)} first, see --list')
    verdict = Verdict(study.records, study.library, args.stale, say)
    verdict.check(jobs)
    head = manifest_head(study.matrix.name, study.matrix.metrics, study.matrix.rows, args.matrix)
    threads = args.threads or max(1, usable_cores() // args.jobs)
    scheduler = Scheduler(
        jobs, study.layout, study.records, verdict, head, args.jobs, threads, say, start or Child,
        study.all_jobs,
    )  # fmt: skip
    say(f'{len(jobs)} jobs in {study.layout.out}, {args.jobs} at a time with {threads} threads each')
    last = [time.monotonic()]

    def tick(scheduler: Scheduler) -> None:
        if time.monotonic() - last[0] >= args.every:
            last[0] = time.monotonic()
            say(scheduler.status())

    states = scheduler.run(tick)
    bad = {name: state for name, state in states.items() if state != 'done'}
    say(f'{len(states) - len(bad)} of {len(states)} jobs done' + ''.join(f'\n  {name}: {bad[name]}' for name in bad))
    table = f'tools/analysis_tools/compare.py {study.layout.out / "manifest.json"}'
    say(f'manifest: {study.layout.out / "manifest.json"}\ntable:    {table}')
    return 1 if bad else 0


def _leave(number: int, frame: object) -> None:
    """Leave as with Ctrl-C, so that programs are ended and locks given back: Slurm's and systemd's way to stop."""
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None, tools: Path | None = None, start: Any = None) -> int:
    """Run the tool; returns the exit status."""
    args = parse_args(argv)
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        study = Study(args, tools)
        if args.job is not None and not 0 <= args.job < len(study.jobs):
            raise ValueError(f'--job {args.job}: there are jobs 0 to {len(study.jobs) - 1}, see --list')
        if args.list:
            list_jobs(study)
            return 0
        if args.dry_run:
            dry_run(study)
            return 0
        return run(study, args, lambda text: print(text, flush=True), start)
    except KeyboardInterrupt:
        print('\nstopped; the same command goes on where it stopped', file=sys.stderr)
        return 130
    except (ValueError, FileNotFoundError) as error:
        print(f'run_matrix.py: error: {error}', file=sys.stderr)
        return 2
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == '__main__':
    sys.exit(main())
