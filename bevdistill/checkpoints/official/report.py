"""Format the result of a conversion as text."""

from __future__ import annotations

import re
from collections import Counter
from typing import get_args

from .weights import Action, Conversion


def conversion_rows(conversion: Conversion) -> list[tuple[str, str, str, str]]:
    """Tabulate the actions of a conversion, with the number of tensors and their names.

    Args:
        conversion: What was done to a file. A conversion with weights left over is an error, hence the 0.

    Returns:
        Heading and rows: action, number of tensors, reason, names in the file.
    """
    groups: Counter[tuple[Action, str]] = Counter()
    names: dict[tuple[Action, str], Counter[str]] = {}
    for entry in conversion.entries:
        key = entry.action, entry.reason
        groups[key] += 1
        names.setdefault(key, Counter())[_pattern(entry.source, entry.action)] += 1
    lines = [('what', 'tensors', 'why', 'names in the file')]
    for action in get_args(Action):
        found = [key for key in groups if key[0] == action] or [(action, '')]
        for key in found:
            lines.append((action, str(groups[key]), key[1], ', '.join(names.get(key, {}))))
    lines.append(('left over', '0', '', ''))
    return lines


def conversion_lines(conversion: Conversion) -> str:
    """List the action on each tensor."""
    return '\n'.join(
        f'{entry.action:<8}  {entry.source}'
        + (f' -> {entry.target}' if entry.target not in (None, entry.source) else '')
        + (f'  ({entry.reason})' if entry.reason else '')
        for entry in conversion.entries
    )


def _pattern(name: str, action: Action) -> str:
    """Merge names that differ in numbers only; of unchanged tensors keep only the part of the model."""
    if action in ('kept', 'dropped'):
        return name.split('.')[0] + '.*'
    return re.sub(r'\.(weight|bias)$', '.*', re.sub(r'(?<=\.)\d+(?=\.)', 'N', name))
