"""Change records, files, settings and results at random, and count what their readers make of it.

    make fuzz                                 # 110,000 changes
    make fuzz FUZZ_ARGS='--changes 5000 --only records --seed 1'

A change has to be refused by an error whose message is for people, to change nothing that is read, or to be harmless by
a rule that is stated; within 2 s and 1 GiB. Each kind of input has a fork of this process. Writes OUT.md; ends with
status 1 if anything else happened, or less than 95 % of what is read otherwise is refused or harmless.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import mmdet3d.structures  # noqa: F401
import torch
from faults import fuzz_data, fuzz_settings
from faults.as_typed import as_typed
from faults.case import copy_of, good_inputs
from faults.forks import forked

from bevdistill.for_people import chain, is_users

SECONDS, MEMORY = 2.0, 1 << 30
REFUSED = 'refused'
FAULTS = ('another error', 'hang', 'memory')
MOST_SHOWN = 12


class HangError(BaseException):
    """A change took too long; nothing that is called may catch it."""


@dataclass
class Found:
    """What came of the changes of one kind."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    slowest: float = 0.0
    seconds: float = 0.0


def one(change: Callable[[Random], str], seed: int) -> tuple[str, str]:
    """Make one change; returns what came of it, and where an error that is not for people was raised."""
    try:
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            return change(Random(seed)), ''
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
    except HangError:
        return 'hang', traceback.format_exc(limit=-3)
    except MemoryError:
        return 'memory', traceback.format_exc(limit=-3)
    except Exception as error:
        if any(is_users(cause) for cause in chain(error)):
            return REFUSED, ''
        return 'another error', ''.join(traceback.format_exception(error, limit=-4))


def alarm(*_: Any) -> None:
    """End what takes too long."""
    raise HangError


def section(make: type, count: int, seed: int, out: Path) -> None:
    """Make all changes of one kind, and write down what came of them."""
    signal.signal(signal.SIGALRM, alarm)
    change, found, began = make(), Found(), time.monotonic()
    used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    for number in range(count):
        start = time.monotonic()
        outcome, why = one(change, seed + number)
        found.slowest = max(found.slowest, time.monotonic() - start)
        found.counts[outcome] += 1
        if why or outcome == fuzz_data.TAKEN:
            place = f'{outcome}: {why.strip().splitlines()[-1][:150] if why else fuzz_data.AT}'
            if len(found.examples) < MOST_SHOWN:
                found.examples.setdefault(place, f'seed {seed + number}\n{why}')
    found.seconds = time.monotonic() - began
    out.write_text(json.dumps(vars(found)))


def run(name: str, make: type, count: int, seed: int, good: Path) -> Found:
    """Make all changes of one kind in a fork, in a copy of the good folder."""
    folder = good.with_name('fuzz')
    copy_of(good, folder)

    def work() -> None:
        os.chdir(folder)
        section(make, count, seed, folder / 'found.json')

    ended = forked(work, folder.with_suffix('.log'), after=3600.0)
    file = folder / 'found.json'
    found = Found(Counter(crash=count), {name: ended.said[-2000:]})
    if file.is_file():
        found = Found(**json.loads(file.read_text()))
        found.counts = Counter(found.counts)
    shutil.rmtree(folder)
    return found


def share(found: Found) -> float:
    """Of the changes that change what is read, the share that is refused or harmless by a rule."""
    read = found.counts.total() - found.counts[fuzz_data.NOTHING]
    bad = sum(found.counts[name] for name in (*FAULTS, fuzz_data.TAKEN, 'crash'))
    return 1 - bad / max(1, read)


def report(kinds: dict[str, Found], seconds: float, command: str) -> str:
    """Write the report."""
    total = Found(sum((found.counts for found in kinds.values()), Counter()))
    bad = (*FAULTS, 'crash', fuzz_data.TAKEN)
    head = ['changed', 'changes', 'refused', 'nothing read changes', 'harmless by a rule', 'taken',
            'other error, hang, memory', 'refused or harmless', 'slowest, s']  # fmt: skip
    rows = [head, ['---'] * len(head)]
    for name, found in (*kinds.items(), ('all', total)):
        counts = found.counts
        rules = counts.total() - counts[REFUSED] - counts[fuzz_data.NOTHING] - sum(counts[word] for word in bad)
        faults = sum(counts[word] for word in bad[:-1])
        slowest = max(each.slowest for each in (kinds.values() if found is total else [found]))
        numbers = counts.total(), counts[REFUSED], counts[fuzz_data.NOTHING], rules, counts[fuzz_data.TAKEN], faults
        rows.append([name, *(f'{number:,}' for number in numbers), f'{100 * share(found):.2f} %', f'{slowest:.2f}'])
    named = [(rule, count) for rule, count in total.counts.most_common() if rule not in (REFUSED, *bad)]
    rules = [f'| {rule} | {count:,} |' for rule, count in named]
    return '\n'.join([
        '# What random changes give', '', f'`{command}`, {time.strftime("%Y-%m-%d")}, torch {torch.__version__}, '
        f'{seconds:.0f} s. What it does: `tests/faults/fuzz.py`.', '', *(f'| {" | ".join(row)} |' for row in rows), '',
        'Share: of the changes that change what is read.', '',
        '| harmless, by rule | changes |', '| --- | --- |', *rules, '',
    ])  # fmt: skip


def main() -> int:
    """Make all changes; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--changes', type=int, default=110_000, help='changes in all (default: 110000)')
    parser.add_argument('--only', metavar='WORD', default='', help='kinds of inputs with this word alone')
    parser.add_argument('--seed', type=int, default=0, help='first seed (default: 0)')
    parser.add_argument('--out', type=Path, default=Path('docs/results/fuzz'), help='report without its ending')
    args = parser.parse_args()
    torch.set_num_threads(1)
    began, kinds = time.monotonic(), {}
    with good_inputs('fuzz') as place:
        for name, make, parts in (*fuzz_data.sections(), *fuzz_settings.sections()):
            if args.only in name:
                found = kinds[name] = run(name, make, max(1, args.changes * parts // 1000), args.seed, place / 'good')
                print(f'{name}: {dict(found.counts)}, {found.seconds:.0f} s', *found.examples.items(), sep='\n  ')
                sys.stdout.flush()
    text = report(kinds, time.monotonic() - began, as_typed('fuzz'))
    args.out.with_suffix('.md').write_text(text)
    print(text)
    faults = sum(found.counts[name] for found in kinds.values() for name in (*FAULTS, 'crash'))
    return 1 if faults or any(share(found) < 0.95 for found in kinds.values()) else 0


if __name__ == '__main__':
    sys.exit(main())
