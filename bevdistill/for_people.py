"""Tell errors whose message is for people from defects, make such of what libraries say about a config; count, list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

OURS = ('bevdistill', 'benchmarks', 'projects')
CONFIG_READERS = ('mmengine.config', 'mmengine.registry', 'mmengine.utils.misc')
"""What they refuse is in the config: its syntax, a type that does not exist, an argument that a class does not take."""
OF_VALUES = (ValueError, TypeError, LookupError, AttributeError, AssertionError, ArithmeticError)
"""What libraries raise when they are given values that they cannot take."""


def counted(number: int, noun: str) -> str:
    """Write a number of things: ``1 box``, ``2 boxes``, ``0 entries``."""
    if number == 1:
        return f'1 {noun}'
    if noun.endswith(('s', 'x', 'ch')):
        return f'{number} {noun}es'
    return f'{number} {noun[:-1]}ies' if noun.endswith('ry') else f'{number} {noun}s'


def shortened(names: Sequence[str], count: int = 6) -> str:
    """Join the first names with commas, and dots for the others."""
    return ', '.join(names[:count]) + (', ...' if len(names) > count else '')


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, then what it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__


def is_users(error: BaseException) -> bool:
    """Tell mistakes of the user, whose message is enough, from defects, whose traceback is needed.

    Files and connections that fail are the user's, so are a ValueError raised by this package or a project, where it is
    written for people, a module that is not installed, and what mmengine refuses in a config or wants installed.
    A ValueError of another library is a defect.
    """
    if isinstance(error, OSError):
        return True
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    raised_in = str(trace.tb_frame.f_globals.get('__name__', '')) if trace is not None else ''
    if raised_in.startswith(CONFIG_READERS) or (isinstance(error, ImportError) and raised_in.startswith('mmengine.')):
        return True
    return isinstance(error, ValueError | ImportError) and raised_in.partition('.')[0] in OURS


@contextmanager
def config_explained(part: str) -> Iterator[None]:
    """Name the part of a config of which a library cannot take a value; what is for people already passes.

    Args:
        part: Key of the config.

    Raises:
        ValueError: In place of an error of a library.
    """
    try:
        yield
    except OF_VALUES as error:
        if any(map(is_users, chain(error))):
            raise
        words = ' '.join(f'{type(error).__name__}: {error}'.split())[:300]
        advice = 'Correct its values; --traceback shows where'
        raise ValueError(f'{part} of the config cannot be built ({words}). {advice}') from error
