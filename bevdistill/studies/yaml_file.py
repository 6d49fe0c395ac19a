"""Read YAML files as plain data, with one line where they are damaged."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import yaml

MOST_ENTRIES = 100_000
"""Entries of a file, those behind an anchor counted wherever it is named."""


class _EachOnce(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML readers take the last in silence."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Look at the keys as they are written: later those behind ``<<`` stand among them."""
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != '<<':
                if key.value in seen:
                    problem = f"'{key.value}' stands twice in one mapping"
                    raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
                seen.add(key.value)
        return node


def read_yaml(path: Path) -> Any:
    """Read a YAML file.

    Raises:
        FileNotFoundError: If it is missing.
        ValueError: If it is no YAML, holds objects of Python, or its anchors make more of it than anybody writes.
    """
    try:
        tree = _EachOnce(path.read_bytes()).get_single_data()
    except (yaml.YAMLError, RecursionError, ValueError) as error:  # ValueError: of a date that cannot be, say.
        raise ValueError(f'{path} is not YAML: {error}') from None
    if _size(tree, {}) > MOST_ENTRIES:
        raise ValueError(f'{path}: expected at most {MOST_ENTRIES} entries, found more, from anchors')
    return tree


def _size(node: Any, known: dict[int, float]) -> float:
    """Count the entries of a tree as if each part were written out; infinite where a part holds itself."""
    if not isinstance(node, dict | list):
        return 1
    if id(node) not in known:
        known[id(node)] = math.inf
        known[id(node)] = 1 + sum(_size(part, known) for part in (node.values() if isinstance(node, dict) else node))
    return known[id(node)]
