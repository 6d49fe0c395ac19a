"""Runs the steps of a plan one after the other, each as the command that a user would type."""

from __future__ import annotations

import codecs
import os
import re
import select
import shlex
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from .display import Display
from .plan import Plan, Step
from .progress import Outlook, Progress, parse_line, readable
from .stamps import Stamps
from .starters import Starter, start_program

TAIL_LINES = 25
POLL_SECONDS = 0.5


class StepFailedError(RuntimeError):
    """A command ended with an error; the message holds the end of its log and where the log is."""


def _lines(output: int) -> Iterator[tuple[str, bool]]:
    """Lines of an output as they come, with whether each stays on the screen (bars end in a return).

    Yields ``('', False)`` at least each :data:`POLL_SECONDS`, so that the caller can move the clock.
    """
    decoder, rest = codecs.getincrementaldecoder('utf-8')('replace'), ''
    while True:
        ready, _, _ = select.select([output], [], [], POLL_SECONDS)
        if not ready:
            yield '', False
            continue
        chunk = os.read(output, 1 << 16)
        rest += decoder.decode(chunk, final=not chunk)
        *pieces, rest = re.split(r'(\r\n|\n|\r)', rest)
        for text, ending in zip(pieces[::2], pieces[1::2], strict=True):
            yield text, ending != '\r'
        if not chunk:
            if rest:
                yield rest, True
            return


def run_command(
    command: Sequence[str], log: Path, on_progress: Callable[[Progress], None], start: Starter = start_program
) -> None:
    """Run a command, copy its output to a log and report its progress.

    Args:
        command: The command line; it runs in the repository's root.
        log: Log file, replaced.
        on_progress: Called about twice a second.
        start: How the command is started.

    Raises:
        StepFailedError: If the command ends with an error.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    progress = Progress()
    with log.open('w') as file:
        file.write(f'$ {shlex.join(command)}\n')
        file.flush()
        running, ended = start(command), False
        try:
            for text, stays in _lines(running.output):
                if stays:
                    file.write(text + '\n')
                    file.flush()
                    tail.append(text)
                progress = parse_line(text) or progress
                on_progress(progress)
            code, ended = running.wait(), True
        finally:
            if not ended:
                running.stop()
    if code != 0:
        raise StepFailedError('\n'.join([*tail, '', f'exit status {code}; the whole log: {log}']))


class Executor:
    """Runs a plan, skips what is done and keeps the screen up to date.

    Args:
        plan: The steps.
        stamps: Which of them are done.
        logs: Folder of the logs.
        display: The screen.
        start: How commands are started.
    """

    def __init__(
        self, plan: Plan, stamps: Stamps, logs: Path, display: Display, start: Starter = start_program
    ) -> None:
        self._plan, self._stamps, self._logs, self._display, self._start = plan, stamps, logs, display, start
        self._expected = [step.seconds for step in plan.steps]
        self._outlook = Outlook(self._expected)

    def run(self) -> None:
        """Run all steps.

        Raises:
            StepFailedError: If one fails; the steps before it stay done.
        """
        for index, step in enumerate(self._plan.steps):
            heading = f'[{index + 1}/{len(self._plan.steps)}] {step.title}'
            command = step.command()
            self._stamps.settle(step, command)
            if self._stamps.is_done(step):
                self._display.say(f'{heading}: done before, {readable(self._stamps.seconds(step.name) or 0)}')
                self._outlook.finished(index, None)
                continue
            self._display.say(f'{heading}\n    {shlex.join(command)}')
            seconds = self._run_step(index, step, command)
            self._stamps.write(step, command, seconds)
            self._outlook.finished(index, seconds)
            self._display.say(f'    done in {readable(seconds)}')

    def _run_step(self, index: int, step: Step, command: Sequence[str]) -> float:
        self._stamps.forget(step.name)
        if step.fresh is not None and step.fresh.exists():
            shutil.rmtree(step.fresh)
        start = time.monotonic()
        ahead, whole = sum(self._expected[:index]), sum(self._expected)
        since = [start, Progress()]

        def show(progress: Progress) -> None:
            if progress is not since[1]:
                since[:] = [time.monotonic(), progress]
            spent = time.monotonic() - start
            # Between two lines of the command its own estimate ages; the clock goes on meanwhile.
            age = time.monotonic() - since[0] if progress.seconds_left is not None else 0.0
            left = max(self._outlook.step_left(index, spent, progress) - age, 0.0)
            fraction = progress.fraction if progress.fraction is not None else spent / max(spent + left, 1e-6)
            whole_fraction = (ahead + fraction * self._expected[index]) / whole
            all_left = self._outlook.all_left(index, left)
            self._display.update(fraction, progress.detail, left, whole_fraction, all_left)

        self._display.begin(step.title)
        try:
            run_command(command, self._logs / f'{index + 1:02d}-{step.name}.log', show, self._start)
        except StepFailedError as error:
            raise StepFailedError(f'{step.title} failed:\n{error}') from None
        missing = [str(path) for path in step.makes if not path.exists()]
        if missing:
            raise StepFailedError(f'{step.title} ended without error but did not write {", ".join(missing)}')
        return time.monotonic() - start
