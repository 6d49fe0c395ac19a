"""Give every command inputs that are wrong, and count what a person reads: nothing may be taken in silence.

    make nonsense
    make nonsense NONSENSE_ARGS='--only points'

Each command runs in a fork of this process, in a copy of a folder of good inputs, with a limit on time and memory.
Writes OUT.md; ends with status 1 unless every input was refused in one line, or is harmless by a rule that is stated.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import mmdet3d.structures  # noqa: F401
import torch
from faults import bad_files, bad_own, bad_sensors, bad_settings, bad_tables
from faults.as_typed import as_typed
from faults.case import GOOD, Case, copy_of, good_inputs
from faults.forks import Ended, forked

from bevdistill.cli.main import main as bevdistill

ALL = [case for module in (bad_sensors, bad_tables, bad_own, bad_settings, bad_files) for case in module.CASES]
SECONDS = 30.0
SHOWN = 4
"""Examples of each kind in the report."""
MEMORY = 3 << 30
"""Bytes beyond those of this process."""
OUTCOMES = ('one line', 'harmless', 'message and traceback file', 'traceback', 'taken silently', 'hang')
UNFORESEEN = 'a defect, or an input that was not foreseen'
_ERROR = re.compile(r'^bevdistill[ \w]*: error: ', re.MULTILINE)


class Outcome(NamedTuple):
    """What came of a case: one of OUTCOMES, and what was printed."""

    case: Case
    outcome: str
    said: str
    seconds: float


def outcome_of(case: Case, ended: Ended) -> Outcome:
    """Tell what a person got."""
    said = ended.said.replace('\r', '\n')
    errors = [line for line in said.splitlines() if _ERROR.match(line)]
    words = errors[-1] if errors else said.strip()[-400:]
    if ended.seconds >= SECONDS:
        return Outcome(case, 'hang', words, ended.seconds)
    if ended.status == 0:
        return Outcome(case, 'harmless' if case.harmless else 'taken silently', said.strip()[-400:], ended.seconds)
    if UNFORESEEN in said:
        return Outcome(case, 'message and traceback file', words, ended.seconds)
    listed = case.words[:2] == ['data', 'check'] and ended.status == 1 and bool(said)
    listed = listed or len(said.strip().splitlines()) == 1
    good = ended.status in (1, 2) and 'Traceback' not in said and (len(errors) == 1 or listed)
    return Outcome(case, 'one line' if good else 'traceback', words, ended.seconds)


def run(case: Case, good: Path, folder: Path) -> Outcome:
    """Spoil a copy of the good folder and run the command in it."""
    copy_of(good, folder)

    def work() -> Any:
        os.chdir(folder)
        case.spoil()
        used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
        return bevdistill(case.words)

    found = outcome_of(case, forked(work, folder.with_suffix('.log'), after=SECONDS))
    left = [file for file in ('run-by-a-pickle', 'x') if (folder / file).exists()]
    shutil.rmtree(folder)
    return found._replace(outcome='traceback', said=f'RAN CODE: {left}') if left else found


def report(outcomes: list[Outcome], seconds: float, command: str) -> str:
    """Write the report."""
    kinds = list(dict.fromkeys(found.case.kind for found in outcomes))
    counts = {kind: Counter(found.outcome for found in outcomes if found.case.kind == kind) for kind in kinds}
    counts['all'] = Counter(found.outcome for found in outcomes)
    rows = [[kind, str(of.total()), *(str(of[name] or '') for name in OUTCOMES)] for kind, of in counts.items()]
    table = [f'| {" | ".join(row)} |' for row in (['of', 'inputs', *OUTCOMES], ['---'] * (len(OUTCOMES) + 2), *rows)]
    wrong = [f'* {name_of(found)}: {found.outcome}' for found in outcomes if found.outcome not in OUTCOMES[:2]]
    rules = [f'* {name_of(found)}: {found.case.harmless}' for found in outcomes if found.outcome == 'harmless']
    lines = [found for found in outcomes if found.outcome == 'one line']
    shown = [found for kind in kinds for found in [each for each in lines if each.case.kind == kind][:SHOWN]]
    examples = [f'* {name_of(found)}: {found.said.splitlines()[-1].strip()[:300]}' for found in shown]
    slowest = max(outcomes, key=lambda found: found.seconds)
    return '\n'.join([
        '# What bad inputs give', '', f'`{command}`, {time.strftime("%Y-%m-%d")}, torch {torch.__version__}, '
        f'{seconds:.0f} s; the slowest command took {slowest.seconds:.1f} s ({name_of(slowest)}).', '', *table, '',
        '## Not refused in one line', '', *(wrong or ['None.']), '',
        '## Harmless, and why', '', *(rules or ['None.']), '', '## What people read', '', *examples, '',
    ])  # fmt: skip


def name_of(found: Outcome) -> str:
    """Name a case."""
    return f'{found.case.kind}, {found.case.what} (`{found.case.words[0]}`)' if found.case.words else found.case.what


def main() -> int:
    """Run all cases; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--only', metavar='PATTERN', default='', help='cases whose kind and name fit this pattern')
    parser.add_argument('--out', type=Path, default=Path('docs/results/nonsense'), help='report without its ending')
    args = parser.parse_args()
    torch.set_num_threads(1)
    began, outcomes = time.monotonic(), []
    with good_inputs('nonsense') as place:
        good = place / 'good'
        for words in GOOD:
            found = run(Case('good', ' '.join(words), words), good, place / 'try')
            if found.outcome != 'taken silently':
                raise RuntimeError(f'{words} is refused where nothing is wrong: {found.said}')
        for case in ALL:
            if re.search(args.only, f'{case.kind}, {case.what}'):
                outcomes.append(run(case, good, place / 'try'))
                if outcomes[-1].outcome not in OUTCOMES[:2]:
                    print(f'{name_of(outcomes[-1])}: {outcomes[-1].outcome}: {outcomes[-1].said[-300:]}', flush=True)
    text = report(outcomes, time.monotonic() - began, as_typed('nonsense'))
    args.out.with_suffix('.md').write_text(text.replace(str(place), ''))
    print(text.partition('## Harmless')[0])
    return 1 if any(found.outcome not in OUTCOMES[:2] for found in outcomes) else 0


if __name__ == '__main__':
    sys.exit(main())
