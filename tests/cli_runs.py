"""What running a verb of the command line in this process gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Done(NamedTuple):
    """What a command left: its exit status and what it printed."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The lines from the error on."""
        return self.err[self.err.index('bevdistill ') :].rstrip('\n')


Run = Callable[..., Done]
