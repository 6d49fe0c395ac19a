"""Read JSON files that this package wrote, with one line where they are damaged."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any


def read_json_object(path: Path, *keys: str, advice: str) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        path: The file.
        *keys: Entries that it must have.
        advice: What to do if it is damaged.

    Raises:
        FileNotFoundError: If it is missing.
        ValueError: If it is no JSON object with these entries; says what was found.
    """
    content = path.read_bytes()
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError) as error:
        found = f'{error} in {len(content)} bytes' if content else 'an empty file'
    else:
        missing = [key for key in keys if not isinstance(tree, dict) or key not in tree]
        if isinstance(tree, dict) and not missing:
            return tree
        found = f'one without {", ".join(missing)}' if isinstance(tree, dict) else f'a {type(tree).__name__}'
    raise ValueError(f'{path}: expected a whole JSON object, found {found}. {advice}')


def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its entries, as ``object_pairs_hook`` of :func:`json.loads`.

    Raises:
        ValueError: If two have one name, of which JSON readers take the last in silence.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        name = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"'{name}' stands twice in one object")
    return found
