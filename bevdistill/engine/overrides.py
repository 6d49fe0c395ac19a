"""Override entries of a config, and refuse overrides that would change nothing; needs no torch."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction

ADD = '+'
DELETE = '_delete_'

RUNNER_ARGUMENTS = (
    'model', 'work_dir', 'train_dataloader', 'val_dataloader', 'test_dataloader', 'train_cfg', 'val_cfg', 'test_cfg',
    'auto_scale_lr', 'optim_wrapper', 'param_scheduler', 'val_evaluator', 'test_evaluator', 'default_hooks',
    'custom_hooks', 'data_preprocessor', 'load_from', 'resume', 'launcher', 'env_cfg', 'log_processor', 'log_level',
    'visualizer', 'default_scope', 'randomness', 'experiment_name', 'cfg',
)  # fmt: skip
"""Arguments of ``mmengine.runner.Runner``, which imports torch."""
ALSO_READ = (
    'activation_checkpointing', 'compile', 'custom_imports', 'efficient_conv_bn_eval', 'find_unused_parameters',
    'gpu_ids', 'model_wrapper_cfg', 'runner_type', 'strategy', 'sync_bn',
)  # fmt: skip
"""Top-level keys that mmengine reads besides these."""
_READ = frozenset((*RUNNER_ARGUMENTS, *ALSO_READ))


def parse_overrides(words: Sequence[str]) -> dict[str, Any]:
    """Turn ``['model.a=1', 'model.b=[1,2]']`` into ``{'model.a': 1, 'model.b': [1, 2]}`` by mmengine's rules.

    Raises:
        ValueError: If a word is not of the form ``key=value``.
    """
    options: dict[str, Any] = {}
    for word in words:
        key, sign, value = word.partition('=')
        if not sign or not key:
            raise ValueError(f"cannot read the override '{word}': write key=value, such as train_cfg.max_epochs=2")
        options[key] = DictAction._parse_iterable(value)
    return options


def apply_overrides(cfg: Config, options: Mapping[str, Any]) -> None:
    """Change entries of a config in place; all mistakes are reported at once.

    A key is a path with dots, list entries by index: ``param_scheduler.0.end``. It has to exist. A key that
    starts with ``+`` is added instead, and has to be new. ``some.dict._delete_=True`` empties a dict before the
    other overrides below it fill it, so these may be new.

    Note:
        mmengine's own ``merge_from_dict`` takes an unknown key silently, and also a variable that the config file
        used while it was read (``data_root``). Both change nothing in the run.

    Args:
        cfg: The config to change.
        options: From key to new value.

    Raises:
        ValueError: If a key does not exist, exists although it should be added, or has no effect.
    """
    tree = cfg.to_dict()
    used = _used_names(cfg.filename)
    emptied = {key[: -len(DELETE) - 1] for key in options if key.endswith('.' + DELETE)}
    problems = []
    for key, value in options.items():
        if key.startswith(ADD):
            problems.append(_problem_of_addition(tree, key[len(ADD) :]))
        elif key.endswith('.' + DELETE):
            problems.append(_problem_of_key(tree, key[: -len(DELETE) - 1], {}))
        elif not any(key.startswith(place + '.') for place in emptied):
            problems.append(_problem_of_key(tree, key, value) or _problem_of_variable(tree, key, used))
    found = [problem for problem in problems if problem]
    if found:
        raise ValueError('cannot override the config:\n  ' + '\n  '.join(found))
    cfg.merge_from_dict({key.removeprefix(ADD): value for key, value in options.items()})


def _problem_of_key(tree: Mapping[str, Any], key: str, value: Any) -> str:
    """Why the path does not lead to an entry that can take the value, or nothing."""
    node: Any = tree
    parts = key.split('.')
    for depth, part in enumerate(parts):
        above = '.'.join(parts[:depth])
        if isinstance(node, Mapping):
            if part not in node:
                return f"no key '{key}'; {_advice(tree, node, parts, depth)}"
            node = node[part]
        elif isinstance(node, list | tuple):
            if not part.isdigit() or int(part) >= len(node):
                return f"no key '{key}'; '{above}' is a list, write an index from 0 to {len(node) - 1}"
            node = node[int(part)]
        else:
            return f"no key '{key}'; '{above}' is {node!r}, it holds no keys"
    if isinstance(node, Mapping) and not isinstance(value, Mapping) and value is not None:
        return f"'{key}' is a dict with the keys {sorted(map(str, node))}; override one of them instead of the whole"
    if isinstance(node, list | tuple) and not isinstance(value, list | tuple | Mapping) and value is not None:
        return f"'{key}' is a list; write {key}=[{value}]"
    return ''


def _advice(tree: Mapping[str, Any], node: Mapping[str, Any], parts: Sequence[str], depth: int) -> str:
    """The nearest key that exists: the same ending elsewhere in the config, or a similar name in the same dict."""
    known = {path for path, _ in _paths(tree)}
    same_ending = [path for path in sorted(known) if path.endswith('.' + '.'.join(parts))]
    if same_ending:
        return f'did you mean {" or ".join(map(repr, same_ending[:4]))}?'
    near = difflib.get_close_matches(parts[depth], list(map(str, node)), n=1, cutoff=0.5)
    if near:
        corrected = '.'.join([*parts[:depth], near[0], *parts[depth + 1 :]])
        return f"did you mean '{corrected if corrected in known else '.'.join([*parts[:depth], near[0]])}'?"
    place = f"'{'.'.join(parts[:depth])}'" if depth else 'the config'
    return f"{place} has the keys {sorted(map(str, node))}; write '{ADD}{'.'.join(parts)}=...' to add a new one"


def _problem_of_addition(tree: Mapping[str, Any], key: str) -> str:
    if not _problem_of_key(tree, key, None):
        return f"'{key}' exists already; leave out the '{ADD}' to change it"
    node: Any = tree
    parts = key.split('.')
    for depth, part in enumerate(parts[:-1]):
        if isinstance(node, Mapping) and part not in node:
            return ''
        problem = _problem_of_key(tree, '.'.join(parts[: depth + 1]), None)
        if problem:
            return problem
        node = node[part] if isinstance(node, Mapping) else node[int(part)]
    return '' if isinstance(node, Mapping) else f"cannot add '{key}'; '{'.'.join(parts[:-1])}' is not a dict"


def _problem_of_variable(tree: Mapping[str, Any], key: str, used: frozenset[str]) -> str:
    """Refuse a variable that the config file used while it was read: its new value would reach nobody."""
    name = key.split('.')[0]
    if name in _READ or name not in used:
        return ''
    places = [
        path
        for path, value in _paths(tree)
        if path.split('.')[0] in _READ and _looks_made_of(path.rsplit('.', 1)[-1], value, name, tree[name])
    ]
    shown = ', '.join(places[:8]) + (', ...' if len(places) > 8 else '')
    where = f'; override where it went: {shown}' if places else ''
    return f"'{name}' is a variable that the config file has already used{where}"


def _looks_made_of(last: str, value: Any, name: str, variable: Any) -> bool:
    """Whether an entry may come from a variable: decides what the message shows, not whether there is one."""
    if isinstance(variable, str):
        return bool(variable) and isinstance(value, str) and value.startswith(variable)
    if isinstance(variable, Mapping | list | tuple):
        return bool(variable) and value == variable
    return last == name and bool(value == variable)


def _used_names(file: str | None) -> frozenset[str]:
    """Names that a config file and its bases read: as a variable, as ``_base_.name``, or as ``{{_base_.name}}``."""
    if file is None or Path(file).suffix != '.py':
        return frozenset()
    names: set[str] = set()
    for node in ast.walk(ast.parse(Path(file).read_text(encoding='utf-8'))):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == '_base_':
            names.add(node.attr)
    for base in Config._get_base_files(file):
        path, scope = Config._get_cfg_path(base, file)
        names |= _used_names(path) if scope is None else set()
    return frozenset(names)


def _paths(node: Any, above: str = '') -> Iterator[tuple[str, Any]]:
    """All entries of a nested config with their dotted path, outer ones first."""
    items: Iterator[tuple[Any, Any]]
    if isinstance(node, Mapping):
        items = iter(node.items())
    elif isinstance(node, list | tuple):
        items = iter(enumerate(node))
    else:
        return
    for key, value in items:
        path = f'{above}.{key}' if above else str(key)
        yield path, value
        yield from _paths(value, path)
