"""Have ``exec`` set variables of the function that calls it, as before Python 3.13: mmcv's setup.py counts on it."""

import builtins
import sys
from typing import Any

plain = exec


def older_exec(code: Any, *spaces: Any, **closure: Any) -> None:
    """Run code in the given name spaces, by default in the caller's."""
    frame = sys._getframe(1)
    plain(code, *(spaces or (frame.f_globals, frame.f_locals)), **closure)


builtins.exec = older_exec
