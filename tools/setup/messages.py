"""How set-up speaks: progress on standard error, and errors whose one line holds the problem and the remedy."""

from __future__ import annotations

import sys


class SetupError(Exception):
    """Something that the user can put right.

    Args:
        problem: What is wrong, with the value that was found.
        remedy: What to do about it.
        excerpt: Lines of a log worth seeing above the message.
    """

    def __init__(self, problem: str, remedy: str, excerpt: str = '') -> None:
        super().__init__(f'{problem}. {remedy}')
        self.excerpt = excerpt


class BrokenEnvironmentError(SetupError):
    """What is installed does not work together; starting over from nothing may help, unlike for a missing network."""


def say(text: str) -> None:
    """Print one line of progress on standard error; standard output is kept for the interpreter's path."""
    print(f'set-up: {text}', file=sys.stderr, flush=True)
