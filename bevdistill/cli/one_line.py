"""Say in one line what went wrong."""

from __future__ import annotations

import errno
import os
import re
import tempfile
import traceback
from pathlib import Path

from ..for_people import chain, is_users

_WORKER = re.compile(r'Caught \w+ in .*\nOriginal Traceback')
_MMCV = '{}. mmcv is not there with operators for this torch; "bevdistill mmcv" compiles and installs it, in 3 minutes'
_FULL = re.compile(r"MemoryError|out of memory|can't allocate memory", re.IGNORECASE)
_SMALLER = 'take smaller batches or images; docs/training.md has what else needs less'
_RAISED = re.compile(r'^([\w.]+): (.*)', re.MULTILINE)


def one_line(error: BaseException) -> str:
    """Describe an error for people, in one line without a traceback.

    Mistakes of the user have a message that says what to do. What remains is a defect: its traceback is written to a
    file, which the line names.
    """
    for cause in chain(error):
        if isinstance(cause, ImportError) and cause.name in ('mmcv', 'mmcv._ext'):
            return _MMCV.format(cause)
        if is_users(cause):
            return _words(cause)
    remote = _of_worker(error)
    if remote:
        return remote
    if isinstance(error, MemoryError | RuntimeError) and _FULL.search(f'{type(error).__name__}: {error}'):
        return f'the memory is full: {_SMALLER} ({" ".join(str(error).split())[:300] or "no more is known"})'
    words = ' '.join(f'{type(error).__name__}: {error}'.split())
    return f'{words[:300]} (a defect, or an input that was not foreseen; {_saved(error)})'


def _words(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT) and error.strerror:
        return error.strerror
    if isinstance(error, OSError) and error.strerror:
        return error.strerror if error.filename is None else f'{error.filename}: {error.strerror}'
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    worker = _of_worker(error)
    return worker or _in_one_line(text) or type(error).__name__


def _in_one_line(text: str) -> str:
    """Join lines; one that ends without a mark in front of a new sentence gets a full stop."""
    line = ''
    for part in filter(None, (' '.join(part.split()) for part in text.splitlines())):
        stop = '.' if line and line[-1].isalnum() and part[:1].isupper() and part[1:2].islower() else ''
        line += f'{stop} {part}'
    return line.strip()


def _of_worker(error: BaseException) -> str:
    """Return the message that an error had in a worker of the data loader, of whose traceback it consists here."""
    text = str(error)
    if not _WORKER.match(text) or not ('/bevdistill/' in text or '/projects/' in text):
        return ''
    raised = list(_RAISED.finditer(text))
    name = raised[-1][1].rpartition('.')[2] if raised else ''
    return ' '.join(raised[-1][2].split()) if name in ('ValueError', type(error).__name__) else ''


def _saved(error: BaseException) -> str:
    """Write the traceback to a file; returns where it is."""
    try:
        handle, name = tempfile.mkstemp(prefix='bevdistill-', suffix='.traceback')
        with os.fdopen(handle, 'w') as file:
            file.writelines(traceback.format_exception(error))
    except OSError:
        return 'run it again with --traceback'
    return f'traceback in {Path(name)}'
