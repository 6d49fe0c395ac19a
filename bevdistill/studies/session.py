"""One session of a study: check what is there, run what is missing, print and write the table."""

from __future__ import annotations

import argparse
import shlex
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from ..checkpoints.own_folder import require_no_strangers
from ..for_people import counted
from ..json_file import read_json_object
from . import fingerprints
from .plan import Plan
from .records import NAMES, Record
from .screen import open_screen
from .spec import StudySpec
from .workflow import Workflow, alone, usable_cores

ONE_SEED = 'One seed per row: the spread over seeds is unknown, so a difference between two rows may be chance.'


def manifest_head(study: StudySpec, source: str) -> Record:
    """Return what the manifest says of the whole: names, order and bases of the rows, code version, machine."""
    return dict(
        matrix=study.name, file=source, metrics=list(study.metrics), code=fingerprints.code_version(),
        machine=fingerprints.machine(),
        rows=[
            dict(name=row.name, title=row.title, config=row.config, base=row.base, seeds=list(row.seeds))
            for row in study.rows
        ],
    )  # fmt: skip


def _leave(number: int, frame: FrameType | None) -> None:
    """Leave as with Ctrl-C: Slurm's and systemd's way to stop."""
    raise KeyboardInterrupt


def _require_place(study: StudySpec, plan: Plan, restart: bool) -> None:
    """Look whether the output folder is this study's, or free for it; nothing of others may be mixed in or taken away.

    Raises:
        FileExistsError: If it holds things that a study does not write, unless it is resumed.
        ValueError: If it is that of another study.
    """
    folder = plan.folder
    begun = folder.plan_file.exists()
    if restart or not begun:
        made = [Path(job.folder) for job in plan.jobs.values() if Path(job.folder).is_relative_to(folder.path)]
        own = [path.relative_to(folder.path).parts[0] for path in made if path != folder.path]
        require_no_strangers(folder.path, (*NAMES, *own) if begun or not restart else (), 'a study')
    manifest = folder.path / 'manifest.json'
    if manifest.exists():
        found = read_json_object(manifest, advice='Delete it: the study writes it anew').get('matrix', study.name)
        if found != study.name:
            raise ValueError(
                f"{folder.path} holds the study '{found}', and this one is '{study.name}'; name another folder with "
                '--out'
            )


def run_study(study: StudySpec, plan: Plan, names: Sequence[str], args: argparse.Namespace) -> int:
    """Run some jobs of a study; returns the exit status.

    Raises:
        ValueError: If results do not fit, another process works on the folder, or the held-out world cannot be tested.
    """
    _require_data(plan, names)
    _require_place(study, plan, args.restart)
    if args.restart:
        shutil.rmtree(plan.folder.path, ignore_errors=True)
    with alone(plan.folder.path):
        plan.save()
        plan.check(names)
        _check_held_out(plan, names)
        head = manifest_head(study, args.study.name)
        workflow = Workflow(plan, names, head, args.cores or usable_cores(), args.threads, args.profile)
        threads = counted(workflow.threads, 'thread')
        print(f'{counted(len(names), "job")} in {plan.folder.path}, {threads} each', flush=True)
        before = signal.signal(signal.SIGTERM, _leave)
        try:
            with open_screen(args.every) as screen:
                states = workflow.run(screen)
        except KeyboardInterrupt:
            print('\nstopped; the same command goes on where it stopped', file=sys.stderr)
            return 130
        finally:
            signal.signal(signal.SIGTERM, before)
        return _conclude(study, plan, states)


def _require_data(plan: Plan, names: Sequence[str]) -> None:
    """Look whether the data are there, unless the study makes them.

    Raises:
        FileNotFoundError: If not.
    """
    made = [job.folder for job in plan.jobs.values() if job.kind == 'data']
    roots = dict.fromkeys(plan.jobs[name].root for name in names)
    for root in roots:
        if root and root not in made and not Path(root).is_dir():
            raise FileNotFoundError(
                f'no data at {root}; name their folder in the study file (data, held_out_data) or with --data, '
                '--held-out-data'
            )


def _check_held_out(plan: Plan, names: Sequence[str]) -> None:
    tests = [name for name in names if plan.jobs[name].kind == 'held_out']
    needs = dict.fromkeys(need for name in tests for need in plan.jobs[name].needs)
    missing = [need for need in needs if need not in names and not plan.done(need)]
    if missing:
        raise ValueError(f'the held-out world waits for all rows of the study; not done: {", ".join(missing)}')


def _conclude(study: StudySpec, plan: Plan, states: dict[str, str]) -> int:
    """Say how it ended, and print and write the table of what is done."""
    bad = [name for name, state in states.items() if state != 'done']
    for name in bad:
        needs = [need for need in plan.jobs[name].needs if states.get(need, 'done') != 'done']
        print(f'{name}: {states[name]}' + (f', not run: needs {", ".join(needs[:3])}' if needs else ''))
    print(f'{len(states) - len(bad)} of {counted(len(states), "job")} done')
    manifest = plan.folder.path / 'manifest.json'
    if any(plan.jobs[name].kind == 'run' and state == 'done' for name, state in states.items()):
        from .results import read_manifests
        from .tables import note, save, to_text

        results = read_manifests([manifest])
        columns = (*results.metrics, 'seconds')
        one_seed = ONE_SEED if results.runs.groupby('row').size().max() == 1 else ''
        print('\n'.join(filter(None, ['', to_text(results, columns), '', study.label, note(results), one_seed, ''])))
        save(results, columns, plan.folder.path / 'results')
        print(f'table: {plan.folder.path}/results.md, .csv, _seeds.csv, a picture per metric')
        print(f'page of curves, classes and samples: bevdistill report {shlex.quote(str(plan.folder.path))}')
    print(f'manifest: {manifest}')
    return 1 if bad else 0
