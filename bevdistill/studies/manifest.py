"""Read the manifest of a study, and refuse one whose entries are not what they should be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..json_file import read_json_object

COPY = 'Copy it again, or make it anew from the study'
"""What to do with a damaged file."""
OWN_COLUMNS = frozenset(('row', 'seed', 'teacher', 'seconds'))
"""Columns of a table that no metric may be called."""


LARGEST = 1e100
"""What numbers of a table are below."""


class Field(NamedTuple):
    """What an entry has to be, in words and as a test, and whether it has to be there."""

    expected: str
    holds: Callable[[Any], bool]
    needed: bool = True


def is_number(value: Any) -> bool:
    """Tell a number that tables can hold: NaN, or one that means and squares can be taken of."""
    return type(value) in (int, float) and (value != value or abs(value) < LARGEST)


def _texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


TEXT = Field('text', lambda value: isinstance(value, str))
NAME = Field('text, or nothing', lambda value: value is None or isinstance(value, str))
LIST = Field('a list', lambda value: isinstance(value, list))
METRICS = Field(
    f'numbers by name, of other names than {", ".join(sorted(OWN_COLUMNS))}',
    lambda value: value is None or ((isinstance(value, dict) and all(map(is_number, value.values())))
    and not OWN_COLUMNS & set(value)),
    needed=False,
)  # fmt: skip
SEED = Field('a whole number from 0 on', lambda value: type(value) is int and 0 <= value < 2**63)
NO_SEED = Field(f'{SEED.expected}, or nothing', lambda value: value is None or SEED.holds(value), needed=False)
INPUTS = Field('hashes by name', lambda v: isinstance(v, dict) and all(map(NAME.holds, v.values())), needed=False)
HASH = NAME._replace(needed=False)

TREE = {
    'rows': LIST, 'jobs': LIST, 'metrics': Field('a list of names', lambda v: isinstance(v, list) and all(
        isinstance(name, str) for name in v)),
    'parts': Field('hashes by file, by hash', lambda v: isinstance(v, dict) and all(map(_texts, v.values())), False),
}  # fmt: skip
ROW = {'name': TEXT, 'title': TEXT, 'base': NAME}
JOB = {'job': TEXT, 'kind': HASH, 'state': HASH, 'row': HASH, 'seed': NO_SEED, 'metrics': METRICS}
DONE = {'row': TEXT, 'seed': SEED}
IDENTITY = {'config': HASH, 'code': HASH, 'data': HASH, 'inputs': INPUTS}
ATTEMPT = {'stage': TEXT, 'wall_s': Field('seconds, or nothing', lambda value: value is None or is_number(value))}


def read_manifest(path: Path) -> dict[str, Any]:
    """Read a manifest.

    Raises:
        FileNotFoundError: If it is missing.
        ValueError: If it is damaged, or an entry is not what it should be; says which.
    """
    tree = read_json_object(path, *(name for name, entry in TREE.items() if entry.needed), advice=COPY)
    for place, expected, found in _faults(tree):
        raise ValueError(f'{path}: {place}: expected {expected}, found {repr(found)[:60]}. {COPY}')
    return tree


Found = tuple[str, str, Any]


def _faults(tree: Mapping[str, Any]) -> Iterator[Found]:
    """Yield what is wrong; only what comes first may be relied on, since the rest is looked at as if it were right."""
    yield from _wrong(tree, '', TREE)
    for place, row in enumerate(tree['rows']):
        yield from _wrong(row, f'rows.{place}', ROW)
    for place, job in enumerate(tree['jobs']):
        where = f'jobs.{place}'
        yield from _wrong(job, where, JOB)
        if job.get('metrics'):
            yield from _wrong(job, where, DONE)
        yield from _wrong(job.get('identity', {}), f'{where}.identity', IDENTITY)
        attempts = job.get('attempts', [])
        yield from _wrong({'attempts': attempts}, where, {'attempts': LIST})
        for number, attempt in enumerate(attempts):
            yield from _wrong(attempt, f'{where}.attempts.{number}', ATTEMPT)


def _wrong(entry: Any, place: str, fields: Mapping[str, Field]) -> Iterator[Found]:
    if not isinstance(entry, dict):
        yield place, 'named entries', entry
        return
    for name, field in fields.items():
        if name not in entry:
            if field.needed:
                yield f'{place}.{name}'.lstrip('.'), field.expected, None
        elif not field.holds(entry[name]):
            yield f'{place}.{name}'.lstrip('.'), field.expected, entry[name]
