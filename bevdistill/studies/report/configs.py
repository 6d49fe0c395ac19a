"""Tell what differs between the configs of runs."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...engine.overrides import READ
from .logs import training_folders

HIDDEN = ('work_dir', 'experiment_name', 'resume')
"""Entries that differ between any two runs and say nothing about them."""
SEED = 'randomness.seed'
LONGEST = 110
ABSENT = '(not there)'


class UnreadableConfigError(ValueError):
    """A config file holds more than plain values."""


class _Plain(ast.NodeTransformer):
    """Turn ``dict(a=1)``, ``inf`` and ``nan`` into literals."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Name) and node.func.id == 'dict' and not node.args:
            keys: list[ast.expr | None] = [ast.Constant(word.arg) if word.arg else None for word in node.keywords]
            return ast.Dict(keys=keys, values=[self.visit(word.value) for word in node.keywords])
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Constant(float(node.id)) if node.id in ('inf', 'nan') else node


def read_plain_config(file: Path) -> dict[str, Any]:
    """Read the config that a run left in its work dir, of which all entries are plain values; nothing in it is run.

    Raises:
        FileNotFoundError: If it is missing.
        UnreadableConfigError: If it is no Python, or an entry is more than a literal; names the line.
    """
    try:
        tree = ast.parse(file.read_text(encoding='utf-8'))
    except (SyntaxError, ValueError, RecursionError) as error:
        raise UnreadableConfigError(f'{file}: expected a config as a run leaves it, found {error}') from error
    entries: dict[str, Any] = {}
    for node in tree.body:
        try:
            target = node.targets[0] if isinstance(node, ast.Assign) else None
            if not isinstance(node, ast.Assign) or not isinstance(target, ast.Name) or len(node.targets) > 1:
                raise ValueError('a statement that is no entry')
            entries[target.id] = ast.literal_eval(_Plain().visit(node.value))
        except (ValueError, TypeError, RecursionError) as error:
            found = str(error).split(' on line')[0]
            raise UnreadableConfigError(
                f'{file}, line {node.lineno}: expected plain values, as a run leaves them, found {found}'
            ) from error
    return entries


def config_of(work_dir: Path) -> dict[str, Any]:
    """Read the config of the newest training in a work dir, or else of its newest test; empty if there is none."""
    trained = [folder / 'vis_data' / 'config.py' for folder in training_folders(work_dir)]
    files = [file for file in trained if file.is_file()] or sorted(work_dir.glob('*/vis_data/config.py'))
    return read_plain_config(files[-1]) if files else {}


def config_of_test(work_dir: Path) -> dict[str, Any]:
    """Read the newest config in a work dir, which is that of its last test where there was one."""
    files = sorted(work_dir.glob('*/vis_data/config.py'))
    return read_plain_config(files[-1]) if files else {}


def settled(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run reads of its config, a student below ``model.student`` whether it was distilled or not."""
    kept = {key: value for key, value in config.items() if key in READ and key not in HIDDEN}
    if config.get('resume'):
        kept['load_from'] = None  # It is the run's own checkpoint then.
    model = kept.get('model')
    if isinstance(model, dict) and 'student' not in model:
        own = {key: value for key, value in model.items() if key != 'data_preprocessor'}
        kept['model'] = {'student': own} | {key: value for key, value in model.items() if key not in own}
    elif isinstance(model, dict):
        kept['model'] = {key: value for key, value in model.items() if key != 'type'}
    return kept


def differences(configs: Mapping[str, Mapping[str, Any]], base: str) -> list[tuple[str, list[str]]]:
    """Compare configs with one of them, entry by entry.

    A part that is of another type, or is missing, is one entry.

    Args:
        configs: Config by name, see :func:`settled`.
        base: The one that the others are compared with.

    Returns:
        Path of each entry that differs, with its value in each config as text.
    """
    paths: dict[str, None] = {}
    for name, config in configs.items():
        if name != base:
            paths |= dict.fromkeys(_differing(configs[base], config))
    shown = sorted(paths)
    return [(path, [_text(_at(config, path)) for config in configs.values()]) for path in shown]


def _differing(base: Any, other: Any, path: str = '') -> Iterator[str]:
    ours, theirs = _children(base), _children(other)
    if ours is None or theirs is None or (path and ours.get('type') != theirs.get('type')):
        if not _same(base, other):
            yield path
        return
    for key in [*ours, *(key for key in theirs if key not in ours)]:
        inner = f'{path}.{key}' if path else str(key)
        if key in ours and key in theirs:
            yield from _differing(ours[key], theirs[key], inner)
        else:
            yield inner


def _children(value: Any) -> Mapping[str, Any] | None:
    """Return the entries of a dict, or of a list of dicts by their place; None for a value."""
    if isinstance(value, Mapping):
        return {str(key): entry for key, entry in value.items()}
    if isinstance(value, list | tuple) and value and all(isinstance(entry, Mapping) for entry in value):
        return {str(place): entry for place, entry in enumerate(value)}
    return None


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a):
        return math.isnan(b)
    return type(a) is type(b) and bool(a == b) if isinstance(a, bool) or isinstance(b, bool) else bool(a == b)


def _at(config: Any, path: str) -> Any:
    """Return the entry of a path; :data:`ABSENT` where there is none. Keys may hold dots themselves."""
    children = _children(config)
    if children is None:
        return ABSENT
    for key, value in children.items():
        if path == key:
            return value
        if path.startswith(f'{key}.') and (found := _at(value, path[len(key) + 1 :])) is not ABSENT:
            return found
    return ABSENT


def _text(value: Any) -> str:
    if value is ABSENT:
        return ABSENT
    text = value if isinstance(value, str) and value else repr(value)
    if len(text) <= LONGEST:
        return text
    count = f'{_count(value)} entries' if isinstance(value, Mapping | list | tuple) else f'{len(text)} characters'
    kind = value.get('type') if isinstance(value, Mapping) else None
    return f'{kind} ({count})' if kind else f'{text[: LONGEST - 30]} ... ({count})'


def _count(value: Any) -> int:
    children = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else None
    return 1 if children is None else sum(map(_count, children))
