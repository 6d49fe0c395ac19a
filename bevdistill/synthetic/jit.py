"""Configure numba's compiler for this package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

F = TypeVar('F', bound=Callable[..., Any])


def jit(function: F) -> F:
    """Compile ``function``, keeping the result on disk where some place can be written.

    Note:
        numba refuses ``cache=True`` while decorating when neither ``__pycache__`` nor the user's cache folder can be
        written. A read-only installation then compiles at every start.
    """
    try:
        return numba.njit(function, cache=True, nogil=True, error_model='numpy')
    except RuntimeError:
        return numba.njit(function, nogil=True, error_model='numpy')
