"""Train and test the rows of a study over seeds, on Snakemake: resumable at every point, one table at the end."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .arguments import above_zero, folder, positive, whole
from .loading import say

if TYPE_CHECKING:
    from bevdistill.studies.plan import Plan
    from bevdistill.studies.spec import StudySpec

HELP = 'train and test many configs over seeds, resumable, on one machine or a cluster'

EXAMPLES = """
examples:
  # what would be run, with every command
  bevdistill study run configs/studies/gain_sources.yml --dry-run

  # run it; the same command goes on after a stop, a crash or a kill, and does nothing when all is done
  bevdistill study run configs/studies/gain_sources.yml --cores 2

  # some rows and what they need
  bevdistill study run STUDY.yml --until student distilled

  # on Slurm: each job is submitted with sbatch (configs/studies/profiles/slurm; docs/studies.md)
  bevdistill study run STUDY.yml --profile slurm

  # what is done, what runs, what failed
  bevdistill study ls STUDY.yml

  # the table again, other columns
  bevdistill compare work_dirs/NAME/manifest.json --metrics NDS mAP mATE --out results

  # at the end, once: all runs on the held-out world
  bevdistill study run STUDY.yml --held-out

docs/studies.md has the format of STUDY.yml and of the manifest.
"""

OLD_NAMES = {'--final': '--held-out', '--second-data': '--held-out-data', '--only': '--until', '--jobs': '--cores'}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    verbs = parser.add_subparsers(dest='action', required=True, metavar='run | ls')
    options = dict(epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, text in (('run', 'run what is not done'), ('ls', 'list the jobs with their states')):
        verb = verbs.add_parser(name, help=text, description=text, **options)  # type: ignore[arg-type]
        verb.add_argument('study', type=Path, metavar='STUDY.yml', help='study file')
        verb.add_argument('--out', type=folder, metavar='DIR', help='output folder (default: work_dirs/<study name>)')
        verb.add_argument('--data', '--data-root', type=Path, metavar='DIR', help="data root in place of the file's")
        verb.add_argument(
            '--held-out-data', '--second-data', type=Path, metavar='DIR', help="held-out world in place of the file's"
        )
        verb.add_argument(
            '--seeds', type=whole, nargs='+', default=[], metavar='N', help="seeds in place of the file's"
        )
        verb.add_argument('--until', '--only', nargs='+', default=[], metavar='ROW', help='some rows, what they need')
        verb.add_argument(
            '--held-out', '--final', action='store_true', help='at the end, once, test on the held-out world too'
        )
        verb.add_argument('--tools', type=Path, help=argparse.SUPPRESS)
    _add_run(verbs.choices['run'])


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--cores', '--jobs', type=positive, metavar='N', help='cores to use (default: all)')
    parser.add_argument(
        '--threads', type=positive, metavar='N', help='threads of each job (default: cores / jobs at a time)'
    )
    parser.add_argument(
        '--profile', metavar='NAME', help='Snakemake profile: slurm, or one of your own; each job is submitted'
    )
    parser.add_argument(
        '--stale',
        choices=('refuse', 'keep', 'redo'),
        default='refuse',
        help='results of another config, code or data: stop and name them (default), count them, or make them again',
    )
    parser.add_argument('--restart', action='store_true', help='throw away what this study has written before')
    parser.add_argument('--dry-run', action='store_true', help='print what would be run')
    parser.add_argument('--every', type=above_zero, default=60.0, metavar='S', help='seconds between lines of progress')


def prepare(args: argparse.Namespace) -> tuple[StudySpec, Plan, list[str]]:
    """Read the study that the command line names; returns it, its plan, and the names of the jobs to run.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If something in it is wrong, or a row is unknown.
    """
    say(f'reading {args.study} and its configs')
    from bevdistill.studies.fingerprints import code_parts
    from bevdistill.studies.graph import with_needs
    from bevdistill.studies.jobs import JobBuilder, Places
    from bevdistill.studies.plan import Plan
    from bevdistill.studies.spec import ROOT, load_study

    study = load_study(args.study, args.seeds)
    out = args.out.absolute() if args.out else ROOT / 'work_dirs' / study.name
    places = Places.of(study, out, args.data, args.held_out_data, args.tools)
    builder = JobBuilder(study, places)
    jobs = builder.build(args.held_out)
    names = with_needs(jobs, args.until, [row.name for row in study.rows if row.optional])
    return study, Plan(places.folder, jobs, builder.configs, getattr(args, 'stale', 'refuse'), code_parts()), names


def run(args: argparse.Namespace) -> int:
    """Run or list a study; returns the exit status."""
    study, plan, names = prepare(args)
    if args.action == 'ls' or args.dry_run:
        (_list if args.action == 'ls' else _dry_run)(plan, names)
        return 0
    from bevdistill.studies.session import run_study

    return run_study(study, plan, names, args)


def _list(plan: Plan, names: list[str]) -> None:
    width = max(map(len, names))
    for name in names:
        state = plan.folder.read(name).get('state', 'waiting')
        if state == 'running' and not plan.folder.is_running(name):
            state = 'stopped'
        needs = [] if plan.jobs[name].kind == 'held_out' else plan.jobs[name].needs
        print(f'{name.ljust(width)}  {state.ljust(8)}' + (f'  after {", ".join(needs)}' if needs else ''))


def _dry_run(plan: Plan, names: list[str]) -> None:
    """Print the commands of what is not done; a checkpoint that does not exist yet by the name of its run."""
    import shlex

    for name in names:
        done = plan.done(name)
        print(f'{name}: ' + ('done' if done else ', '.join(stage for stage, _ in plan.jobs[name].stages)))
        for _, command in [] if done else plan.jobs[name].stages:
            print(f'    {shlex.join(command)}')
