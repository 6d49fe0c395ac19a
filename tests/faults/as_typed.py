"""The command line that a report names."""

from __future__ import annotations

import shlex
import sys


def as_typed(target: str) -> str:
    """Return the call of make that gives this process its arguments."""
    words = shlex.join(sys.argv[1:])
    return f'make {target}' + (f' {shlex.quote(f"{target.upper()}_ARGS={words}")}' if words else '')
