"""Read the values of overrides: Python's literals, ``dict(...)``, and bare words as mmengine takes them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

DEEPEST = 50
"""Brackets inside one another that a value may have."""
_CLOSING = {'[': ']', '(': ')', '{': '}'}
_WORDS = {'true': True, 'false': False}
_ENTRY = re.compile(r'\s*(\w+)\s*=(.*)', re.DOTALL)


def parse_value(text: str) -> Any:
    """Read a value of the command line.

    Numbers, ``True``, ``False`` and ``None`` are what they look like, and ``[a,b]``, ``(a,b)``, ``{'k': v}``,
    ``dict(k=v)`` nest. Commas without brackets make a list. Everything else is a string, spaces inside included, in
    which ``~/`` at the beginning is the home folder: shells do not see it behind a ``=``;
    quotes within the value (``"'a,b'"`` on a command line) keep commas, brackets and numbers as text.

    Raises:
        ValueError: If a bracket or a quote at the beginning is not closed, an entry of a dict has no name, or brackets
            nest deeper than :data:`DEEPEST`.
    """
    steps = (1 if letter in _CLOSING else -1 if letter in _CLOSING.values() else 0 for letter in text)
    if max(accumulate(steps), default=0) > DEEPEST:
        raise ValueError(f'brackets nest deeper than {DEEPEST}')
    return _value(text)


def _value(text: str) -> Any:
    text = text.strip()
    if text[:1] in ('"', "'"):
        parts = list(_split(text))
        if len(parts) > 1:
            return [_value(part) for part in parts]
        if len(text) < 2 or text[-1] != text[0]:
            raise ValueError(f'the quote {text[0]} at the beginning is not closed')
        return text[1:-1]
    called = re.match(r'dict\s*(?=\()', text)
    start = called.end() if called else 0
    bracket = text[start : start + 1]
    if bracket in _CLOSING and len(list(_split(text))) == 1:
        if not text.endswith(_CLOSING[bracket]):
            raise ValueError(f'the bracket {bracket} at the beginning is not closed')
        parts = [part for part in _split(text[start + 1 : -1]) if part.strip()]
        if called:
            return dict(_entry(part) for part in parts)
        if bracket == '{':
            return dict(_pair(part) for part in parts)
        values = [_value(part) for part in parts]
        return tuple(values) if bracket == '(' else values
    parts = list(_split(text))
    return _scalar(text) if len(parts) == 1 else [_value(part) for part in parts]


def _scalar(text: str) -> Any:
    for kind in (int, float) if '_' not in text else ():  # 2026_11_30 is no number.
        try:
            return kind(text)
        except ValueError:
            pass
    text = os.path.expanduser(text) if text.startswith('~/') else text
    return None if text == 'None' else _WORDS.get(text.lower(), text)


def _entry(text: str) -> tuple[str, Any]:
    found = _ENTRY.fullmatch(text)
    if not found:
        raise ValueError(f"'{text.strip()}' inside dict(...) is not of the form key=value")
    return found[1], _value(found[2])


def _pair(text: str) -> tuple[Any, Any]:
    key, *rest = _split(text, ':')
    if not rest:
        raise ValueError(f"'{text.strip()}' inside {{...}} is not of the form 'key': value")
    name = _value(key)
    if isinstance(name, list | tuple | dict):
        raise ValueError(f"'{key.strip()}' cannot name an entry")
    return name, _value(':'.join(rest))


def _split(text: str, at: str = ',') -> Iterator[str]:
    """Split at commas outside brackets and quotes; a quote begins where an entry does: ``john's`` has none."""
    start, depth, quote, before = 0, 0, '', at
    for place, letter in enumerate(text):
        if quote:
            quote = '' if letter == quote else quote
        elif letter in '"\'' and before in ',:=([{':
            quote = letter
        elif letter in _CLOSING:
            depth += 1
        elif letter in _CLOSING.values():
            depth -= 1
        elif letter == at and depth == 0:
            yield text[start:place]
            start = place + 1
        if not letter.isspace():
            before = letter
    yield text[start:]
