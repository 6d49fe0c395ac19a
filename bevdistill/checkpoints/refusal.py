"""Say why torch refuses a checkpoint, without torch's advice to load it all the same, which would run what is in it."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator
from contextlib import contextmanager

_NAMED = re.compile(r'(?:GLOBAL|[Uu]nsupported (?:class|global):?|instantiate) (?:GLOBAL )?`?([A-Za-z_][\w.]*)')


class UnsafeCheckpointError(pickle.UnpicklingError, ValueError):
    """A checkpoint that holds more than tensors and plain data; nothing in it was run."""


def reason_of(error: BaseException) -> str:
    """Return why a checkpoint could not be read, in one line and in our words.

    Args:
        error: What ``torch.load`` raised.
    """
    if isinstance(error, UnsafeCheckpointError):
        return str(error)
    if isinstance(error, pickle.UnpicklingError):
        named = _NAMED.search(str(error))
        return f'it holds {named[1]}' if named else 'it holds Python objects, or is damaged'
    return f'{type(error).__name__}: {error!s}'.splitlines()[0][:200]


@contextmanager
def refused_in_our_words(name: str) -> Iterator[None]:
    """Turn torch's refusal of a checkpoint into one line.

    Args:
        name: The file, or its address.

    Raises:
        UnsafeCheckpointError: In place of torch's ``UnpicklingError``.
    """
    try:
        yield
    except UnsafeCheckpointError:
        raise
    except pickle.UnpicklingError as error:
        # Without torch's error behind it, whose text advises to load the file without this check.
        raise UnsafeCheckpointError(
            f'checkpoint {name}: expected tensors and plain data, but {reason_of(error)}; loading that could run code, '
            'so nothing was loaded. Save its weights alone, a dict of tensors with the key state_dict'
        ) from None
