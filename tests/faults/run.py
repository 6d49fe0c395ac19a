"""Kill, stop, starve and damage every command that writes, and count what is lost: nothing may be.

    make faults                        # 200 kills and the rest, 15 minutes at most on two cores
    make faults FAULTS_ARGS='--kills 20 --out faults'

Each fault is made in a fork of this process, which has imported everything once. After every fault all checkpoints must
be whole and the newest not older than before; after the last one of a folder the command runs to its end, and what it
has made must be the same, bit for bit, as without any fault. Writes OUT.md; ends with status 1 if anything was lost.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import mmdet3d.structures  # noqa: F401
import torch
from faults import refusals
from faults.as_typed import as_typed
from faults.forks import STAGES, Work, dying, forked
from faults.jobs import Job, jobs, progress_of

from bevdistill.engine.stopping import STOPPED

SHARES = {
    'train, toy': 0.3, 'train, student': 0.1, 'train, distilled': 0.1, 'synthetic': 0.1, 'create': 0.1, 'cache': 0.1,
    'test': 0.1, 'study': 0.1,
}  # fmt: skip
"""Of the random kills, those in each command."""
PER_FOLDER = 5
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


@dataclass
class Tally:
    """What was done and found, by fault."""

    done: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)

    def count(self, fault: str, good: bool, what: str = '') -> None:
        """Count one fault, and what was lost by it."""
        self.done[fault] += 1
        if not good:
            self.lost.append(f'{fault}: {what}')
            print(f'LOST {fault}: {what}', flush=True)


class Faults:
    """Makes faults in a place of its own.

    Args:
        place: Folder for all that is written.
        seed: Of the moments of kills.
    """

    def __init__(self, place: Path, seed: int) -> None:
        self.place, self.draw, self.tally = place, random.Random(seed), Tally()
        self.jobs = jobs(place)
        self.seconds: dict[str, float] = {}
        self.wanted: dict[str, str] = {}
        self._number = 0

    def folder(self) -> Path:
        """Make an empty folder."""
        self._number += 1
        folder = self.place / f'run{self._number}'
        folder.mkdir()
        return folder

    def undisturbed(self) -> None:
        """Run every command once to its end."""
        for name, job in self.jobs.items():
            folder = self.folder()
            ended = forked(lambda job=job, folder=folder: job.run(folder), folder / 'log')  # type: ignore[misc]
            if ended.status:
                raise RuntimeError(f'{name} fails without any fault:\n{ended.said[-3000:]}')
            if name == 'train, toy':
                shutil.copy(folder / 'run' / 'iter_24.pth', self.place / 'trained.pth')
            self.seconds[name], self.wanted[name] = ended.seconds, job.made(folder)
            print(f'{name}: {ended.seconds:.1f} s undisturbed', flush=True)

    def kills(self, name: str, count: int) -> None:
        """Kill a command at random moments, some in each folder, then let it end."""
        while count > 0:
            folder, job = self.folder(), self.jobs[name]
            for _ in range(min(PER_FOLDER, count)):
                moment = self.draw.uniform(0.0, self.seconds[name])
                self.fault(f'kill -9 in {name}', job, folder, lambda: job.run(folder), moment, signal.SIGKILL)  # noqa: B023
            count -= PER_FOLDER
            self.finish(f'kill -9 in {name}', job, folder)

    def kills_in_writes(self, count: int) -> None:
        """Kill a training at each stage of writing a checkpoint, one after the other."""
        job = self.jobs['train, toy']
        for stage in STAGES:
            folder = self.folder()
            for _ in range(count):
                work = dying(lambda: job.run(folder), stage, self.draw.randint(1, 2))  # noqa: B023
                self.fault(f'kill -9 while a checkpoint is {stage}', job, folder, work)
            self.finish(f'kill -9 while a checkpoint is {stage}', job, folder)

    def signals(self, count: int) -> None:
        """Ask trainings to stop at random moments."""
        for name in ('train, toy', 'train, student'):
            for number in SIGNALS:
                folder, job = self.folder(), self.jobs[name]
                label = f'{signal.Signals(number).name} to {name}'
                for _ in range(count):
                    moment = self.draw.uniform(0.0, self.seconds[name] / 2)
                    self.fault(label, job, folder, lambda: job.run(folder), moment, number)  # noqa: B023
                self.finish(label, job, folder)

    def fault(
        self, label: str, job: Job, folder: Path, work: Work, moment: float = 120.0, number: int = signal.SIGKILL
    ) -> None:
        """Make one fault and look at what is there."""
        train = job.name.startswith('train')
        before = progress_of(folder / 'run') if train else 0
        ended = forked(work, folder / 'log', moment, number)
        said = f'status {ended.status} after {ended.seconds:.1f} s: {ended.said[-300:]}'
        try:
            after = progress_of(folder / 'run') if train else 0
        except (AssertionError, ValueError) as error:
            self.tally.count(label, False, str(error))
            return
        allowed = {-signal.SIGKILL, 0} if number == signal.SIGKILL else {STOPPED, 0}
        if 'Iter(train)' not in ended.said and after == before:
            allowed |= {-number, 130}  # It had not begun to train, or not begun again.
        self.tally.count(label, ended.status in allowed and after >= before, f'{before} -> {after}, {said}')

    def finish(self, label: str, job: Job, folder: Path) -> None:
        """Let a command end, and compare what it has made."""
        ended = forked(lambda: job.run(folder), folder / 'log')
        same = ended.status == 0 and job.made(folder) == self.wanted[job.name]
        left = [str(file) for file in folder.rglob('.*') if file.name.endswith('.part') or '.partial-' in file.name]
        self.tally.count('runs after faults, bit-identical and without leftovers', same and not left, (
            f'{label}: status {ended.status}, left {left}: {ended.said[-500:]}'
        ))  # fmt: skip
        shutil.rmtree(folder)


def report(tally: Tally, seconds: float, command: str) -> str:
    """Write the report."""
    lines = [f'| {fault} | {number} |' for fault, number in sorted(tally.done.items())]
    notes = [f'* {what}: {said}' for what, said in tally.notes.items()]
    lost = [f'* {line}' for line in tally.lost] or ['Nothing.']
    return '\n'.join([
        '# What faults cost', '', f'`{command}`, {time.strftime("%Y-%m-%d")}, torch {torch.__version__}, '
        f'{seconds:.0f} s. What it does: `tests/faults/run.py`.', '', '| fault | times |', '| --- | --- |', *lines, '',
        '## Lost or different', '', *lost, '', '## What people read', '', *notes, '',
    ])  # fmt: skip


def main() -> int:
    """Make all faults; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--kills', type=int, default=200, help='random kills (default: 200)')
    parser.add_argument('--seed', type=int, default=0, help='seed of the moments (default: 0)')
    parser.add_argument('--out', type=Path, default=Path('docs/results/faults'), help='report without its ending')
    args = parser.parse_args()
    torch.set_num_threads(1)
    began = time.monotonic()
    place = Path(tempfile.mkdtemp(prefix='faults-'))
    place.chmod(0o755)
    try:
        faults = Faults(place, args.seed)
        faults.undisturbed()
        for name, share in SHARES.items():
            faults.kills(name, round(args.kills * share))
        faults.kills_in_writes(max(1, args.kills // 50))
        faults.signals(max(1, args.kills // 50))
        refusals.damage(faults)
        refusals.full_and_read_only(faults)
        refusals.lost_parts(faults)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    text = report(faults.tally, time.monotonic() - began, as_typed('faults'))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.with_suffix('.md').write_text(text)
    print(text)
    return 1 if faults.tally.lost else 0


if __name__ == '__main__':
    sys.exit(main())
