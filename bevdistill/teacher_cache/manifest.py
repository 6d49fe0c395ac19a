"""Describe a cache: what its records were computed from, how they are laid out, whether all are there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any

from .key import CacheKey
from .record_layout import RecordLayout

FORMAT = 3
UNCHECKED = 2
"""Format of records without checksums, which are still read."""
CHECKSUM_BYTES = 16


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**31


def _texts(values: Any) -> bool:
    return isinstance(values, list | tuple) and all(isinstance(value, str) for value in values)


ENTRIES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    'teacher': ('a path and classes', lambda v: isinstance(v, dict) and _texts(v.get('classes') or [])),
    'queries': ('a whole number', _count), 'all_queries': ('a whole number', _count),
    'num_samples': ('a whole number', _count), 'infos': ('a list of digests', _texts),
    'probes': ('digests by name', lambda v: isinstance(v, dict) and _texts([*v.values()])),
    'command': ('text', lambda v: isinstance(v, str)), 'complete': ('true or false', lambda v: isinstance(v, bool)),
    'layout': ('a list of taps', lambda v: isinstance(v, list) and len(v) > 0),
}  # fmt: skip
"""Entries of a manifest, beside its key."""


def _check(entry: Any, needed: set[str], optional: set[str], place: str) -> None:
    """Refuse what is no dict with these entries."""
    if not isinstance(entry, dict):
        raise ValueError(f'{place}: expected entries by name, found {repr(entry)[:60]}')
    lacks, more = sorted(needed - {*entry}), sorted({*entry} - needed - optional)
    if lacks or more:
        found = ' and '.join(f'{how} {", ".join(part)}' for how, part in (('without', lacks), ('with', more)) if part)
        raise ValueError(f'{place}: expected {", ".join(sorted(needed))}, found an object {found}'.lstrip(': '))


@dataclass(frozen=True)
class CacheManifest:
    """Description of a cache: source, layout and state.

    Args:
        key: What its records were computed from.
        layout: Where the taps are in a record.
        teacher: Path of the teacher's checkpoint when the cache was made, and its class names.
        queries: Queries in a record.
        all_queries: Queries of the teacher; more than `queries` if only the best were kept.
        probes: See :class:`Samples`.
        infos: See :class:`Samples`.
        num_samples: Samples of the complete cache.
        command: The command that writes it or resumes writing.
        complete: Whether all records are there.
        format: Of records: with checksums, or the one before.
    """

    key: CacheKey
    layout: RecordLayout
    teacher: dict[str, Any]
    queries: int
    all_queries: int
    probes: dict[str, str]
    infos: tuple[str, ...]
    num_samples: int
    command: str
    complete: bool = False
    format: int = FORMAT

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> CacheManifest:
        """Invert :meth:`to_plain`.

        Raises:
            ValueError: If an entry is not what :meth:`to_plain` gives; names it.
        """
        _check(plain, {field.name for field in fields(cls)} - {'complete', 'format'}, {'complete', 'format'}, '')
        for name, (expected, holds) in ENTRIES.items():
            if name in plain and not holds(plain[name]):
                raise ValueError(f'{name}: expected {expected}, found {repr(plain[name])[:60]}')
        _check(plain['key'], {field.name for field in fields(CacheKey)}, set(), 'key')
        for name, value in plain['key'].items():
            kind, expected = (str, 'text') if name == 'sha256' else (dict, 'entries by name')
            if value is not None and not isinstance(value, kind):
                raise ValueError(f'key.{name}: expected {expected}, found {repr(value)[:60]}')
        layout = RecordLayout.from_plain(plain['layout'])
        return cls(**plain | dict(key=CacheKey(**plain['key']), layout=layout, infos=tuple(plain['infos'])))

    def to_plain(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self) | dict(key=self.key.to_plain(), layout=self.layout.to_plain())

    @property
    def record_bytes(self) -> int:
        """Return the size of a record's file."""
        return self.layout.nbytes + (CHECKSUM_BYTES if self.format > UNCHECKED else 0)
