"""Override entries of a config, and refuse overrides that would change nothing; needs no torch."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from mmengine.config import Config

from ..for_people import shortened
from .override_values import parse_value

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
    'model_wrapper_cfg', 'runner_type', 'strategy', 'sync_bn',
)  # fmt: skip
"""Top-level keys that mmengine reads besides these."""
READ = frozenset((*RUNNER_ARGUMENTS, *ALSO_READ)) - {'cfg', 'launcher'}
"""Top-level keys whose value decides what a run does. The launcher is ``--launcher``, which wins over the config."""
FORMER = {
    'data': 'train_dataloader, val_dataloader, test_dataloader',
    'data.samples_per_gpu': 'train_dataloader.batch_size', 'data.workers_per_gpu': 'train_dataloader.num_workers',
    'optimizer': 'optim_wrapper.optimizer', 'optimizer_config': 'optim_wrapper.clip_grad',
    'lr_config': 'param_scheduler', 'runner': 'train_cfg', 'runner.max_epochs': 'train_cfg.max_epochs',
    'total_epochs': 'train_cfg.max_epochs', 'evaluation': 'val_evaluator, train_cfg.val_interval',
    'evaluation.interval': 'train_cfg.val_interval', 'checkpoint_config': 'default_hooks.checkpoint',
    'log_config': 'default_hooks.logger', 'dist_params': 'env_cfg.dist_cfg', 'seed': 'randomness.seed',
    'fp16': '--amp', 'resume_from': '--resume CHECKPOINT', 'gpu_ids': 'CUDA_VISIBLE_DEVICES',
    'workflow': 'train_cfg.val_interval',
}  # fmt: skip
"""Keys of configs before mmengine, which no run reads any more, and where their content goes."""
OPTIONAL = {
    re.compile(r'(model\.losses\.[^.]+)\.weight'): r'\1',
    re.compile(r'model\.student_checkpoint'): 'model.teacher_checkpoint',
    re.compile(r'work_dir|experiment_name'): 'model',
}
"""What runs, distillers and losses take also where the config leaves it at its default, with a key that they have."""
NO_VALUE = ('none', 'null', 'nil')
NUMBERS_BY_NAME = ('dynamic', 'auto')
"""Words that libraries take in the place of a number, such as a loss scale."""
MOST_SHOWN = 8
Reads = Callable[[], Mapping[str, Any]]
"""All entries that a run reads, by path; collected when a message needs them."""


def parse_overrides(words: Sequence[str]) -> dict[str, Any]:
    """Turn ``['model.a=1', 'model.b=[1,2]']`` into ``{'model.a': 1, 'model.b': [1, 2]}``, see :func:`parse_value`.

    Raises:
        ValueError: If a word is not of the form ``key=value``, or its value cannot be read.
    """
    options: dict[str, Any] = {}
    for word in words:
        key, sign, value = word.partition('=')
        if not sign or ' ' in key or not all(key.removeprefix(ADD).split('.')):
            raise ValueError(f"cannot read the override '{word[:80]}': write key=value, such as train_cfg.max_epochs=2")
        try:
            options[key] = parse_value(value)
        except ValueError as error:
            raise ValueError(f"cannot read the override '{word[:80]}': {error}") from error
    return options


def apply_overrides(cfg: Config, options: Mapping[str, Any]) -> None:
    """Change entries of a config in place; all mistakes are reported at once.

    A key is a path with dots, list entries by index: ``param_scheduler.0.end``. It has to exist. A key that
    starts with ``+`` is added instead, and has to be new. ``some.dict._delete_=True`` empties a dict before the
    other overrides below it fill it, so these may be new.

    Note:
        mmengine's own ``merge_from_dict`` takes an unknown key silently, and also a variable of the config file
        (``data_root``), which the file has used by then. Both change nothing in the run.

    Args:
        cfg: The config to change.
        options: From key to new value.

    Raises:
        ValueError: If a key does not exist, exists although it should be added, or has no effect.
    """
    tree = cfg.to_dict()
    emptied = {key[: -len(DELETE) - 1] for key in options if key.endswith('.' + DELETE)}
    reads = cache(lambda: dict(read_paths(tree)))
    found = [problem for key, value in options.items() if (problem := _problem(tree, reads, key, value, emptied))]
    if found:
        raise ValueError('cannot override the config:\n  ' + ';\n  '.join(found))
    cfg.merge_from_dict({key.removeprefix(ADD): _whole(tree, key, value) for key, value in options.items()})


def _whole(tree: Mapping[str, Any], key: str, value: Any) -> Any:
    """Mark a dict that takes the place of None, which mmengine would refuse otherwise."""
    if not isinstance(value, Mapping) or key.startswith(ADD):
        return value
    node: Any = tree
    for part in key.split('.'):
        node = node.get(part, ADD) if isinstance(node, Mapping) else node[int(part)] if isinstance(node, list) else ADD
    return {DELETE: True, **value} if node is None else value


def _problem(tree: Mapping[str, Any], reads: Reads, key: str, value: Any, emptied: set[str]) -> str:
    name = key.removeprefix(ADD)
    if name.split('.')[0] not in READ:
        return _problem_of_variable(tree, reads, name)
    if key.startswith(ADD):
        return _problem_of_addition(tree, reads, name)
    if key.endswith('.' + DELETE):
        return _problem_of_key(tree, reads, key[: -len(DELETE) - 1], {})
    if any(key.startswith(place + '.') for place in emptied):
        return ''
    for optional, beside in OPTIONAL.items():
        if optional.fullmatch(key) and not _problem_of_key(tree, reads, optional.sub(beside, key), None):
            return ''
    return _problem_of_key(tree, reads, key, value)


def _problem_of_key(tree: Mapping[str, Any], reads: Reads, key: str, value: Any) -> str:
    """Why the path does not lead to an entry that can take the value, or nothing."""
    node: Any = tree
    parts = key.split('.')
    for depth, part in enumerate(parts):
        above = '.'.join(parts[:depth])
        if isinstance(node, Mapping):
            if part not in node:
                return f"no key '{key}'; {_advice(reads, node, parts, depth)}"
            node = node[part]
        elif isinstance(node, list | tuple):
            if not node:
                return f"no key '{key}'; '{above}' is an empty list; write {shlex.quote(f'{above}=[...]')}"
            if not part.isdigit() or int(part) >= len(node):
                return f"no key '{key}'; '{above}' is a list, write an index from 0 to {len(node) - 1}"
            node = node[int(part)]
        else:
            return f"no key '{key}'; '{above}' is {node!r}, it holds no keys"
    if isinstance(node, Mapping) and isinstance(value, Mapping) and not value.get(DELETE):
        below = (_problem_of_key(tree, reads, f'{key}.{name}', inner) for name, inner in value.items())
        return next(filter(None, below), '')
    return _problem_of_value(key, node, value)


def _problem_of_value(key: str, node: Any, value: Any) -> str:
    """Why a value cannot take the place of what the config has, or nothing."""
    if value is None:
        return ''
    if isinstance(value, str) and value.lower() in NO_VALUE and not isinstance(node, str):
        return f"'{key}' would be the text '{value}'; write {key}=None"
    if isinstance(node, Mapping) and not isinstance(value, Mapping):
        return f"'{key}' is a dict with the keys {sorted(map(str, node))}; override one of them instead of the whole"
    if isinstance(node, list | tuple) and not isinstance(value, list | tuple):
        if isinstance(value, Mapping) and value and all(isinstance(name, str) and name.isdigit() for name in value):
            return ''  # mmengine's form, {'0': dict(end=5)}.
        shown = 'dict(...)' if isinstance(value, Mapping) else value
        return f"'{key}' is a list; write {shlex.quote(f'{key}=[{shown}]')}"
    if isinstance(node, bool) and isinstance(value, str | int | float) and value not in (0, 1):
        return f"'{key}' is {node}; expected True or False, found {value!r}"
    if isinstance(node, int | float) and isinstance(value, str) and value not in NUMBERS_BY_NAME:
        return f"'{key}' is {node}; expected a number, found the text '{value}'"
    return ''


def _advice(reads: Reads, node: Mapping[str, Any], parts: Sequence[str], depth: int) -> str:
    """The nearest key that the run reads: the same ending elsewhere, or a similar name in the same dict."""
    key = '.'.join(parts)
    if key == 'train_cfg.max_epochs' and 'max_iters' in node:
        return "this config counts iterations: 'train_cfg.max_iters'"
    if key == 'train_cfg.max_iters' and 'max_epochs' in node:
        return "this config counts epochs: 'train_cfg.max_epochs'"
    known = reads()
    above, below = '.'.join(parts[:depth]), '.'.join(parts[depth:])
    left_out = [path for path in sorted(known) if path.startswith(f'{above}.') and path.endswith(f'.{below}')]
    same_ending = [path for path in sorted(known) if path.endswith(f'.{key}')] or left_out
    if same_ending and key not in FORMER:
        return f'did you mean {" or ".join(map(repr, same_ending[:4]))}?'
    by_index = re.sub(r'\[(\d+)\]', r'.\1', key)
    if by_index != key:
        return f"write list entries as in '{by_index}'"
    if not depth and parts[0] in FORMER:
        today = FORMER.get(key, FORMER[parts[0]])
        return f'no run reads this key of configs before mmengine; its content goes to {today}'
    names = [str(name) for name in node if depth or name in READ]
    near = difflib.get_close_matches(parts[depth], names, n=1, cutoff=0.5)
    if near:
        corrected = '.'.join([*parts[:depth], near[0], *parts[depth + 1 :]])
        new = f" Write '{ADD}{key}=...' to add a new one" if depth else ''
        return f"did you mean '{corrected if corrected in known else '.'.join([*parts[:depth], near[0]])}'?{new}"
    if not depth and parts[0] not in READ:
        return f'a run reads {sorted(names)}'
    place = f"'{'.'.join(parts[:depth])}'" if depth else 'the config'
    return f"{place} has the keys {sorted(names)}; write '{ADD}{key}=...' to add a new one"


def _problem_of_addition(tree: Mapping[str, Any], reads: Reads, key: str) -> str:
    if not _problem_of_key(tree, reads, key, None):
        return f"'{key}' exists already; leave out the '{ADD}' to change it"
    node: Any = tree
    parts = key.split('.')
    for depth, part in enumerate(parts[:-1]):
        if isinstance(node, Mapping) and part not in node:
            return ''
        problem = _problem_of_key(tree, reads, '.'.join(parts[: depth + 1]), None)
        if problem:
            return problem
        node = node[part] if isinstance(node, Mapping) else node[int(part)]
    return '' if isinstance(node, Mapping) else f"cannot add '{key}'; '{'.'.join(parts[:-1])}' is not a dict"


def _problem_of_variable(tree: Mapping[str, Any], reads: Reads, key: str) -> str:
    """Refuse what no run reads: a new value of a variable that the config file has used would reach nobody."""
    name, _, rest = key.partition('.')
    if name == 'launcher':
        return "'launcher' is not read from the config; give --launcher"
    if name not in tree:
        return f"no key '{key}'; {_advice(reads, tree, key.split('.'), 0)}"
    places = _where_it_went(tree[name], reads().items(), name, rest)
    where = f'; override where it went: {shortened(places, MOST_SHOWN)}' if places else '; change it in the file'
    flag = '. All at once: --data-root DIR' if name.endswith('root') else ''
    return f"'{name}' is a variable that the config file has already used{where}{flag}"


def _where_it_went(variable: Any, reads: Iterable[tuple[str, Any]], name: str, rest: str) -> list[str]:
    """Find the entries that may come from a part of a variable: equal in value, else in the end of their path.

    A name with ``train`` or ``test`` in it leads to that side's entries alone, where it has some.
    """
    for part in rest.split('.') if rest else ():
        variable = variable.get(part) if isinstance(variable, Mapping) else None
    end = rest or name
    ends = [(path, value) for path, value in reads if path.endswith(f'.{end}')]
    if rest:
        found = [path for path, value in ends if type(value) is type(variable) and value == variable]
    else:
        kind = type(variable)
        found = [path for path, value in reads if type(value) is kind and _looks_made_of(path, value, name, variable)]
    found = found or [path for path, _ in ends]
    if not found and isinstance(variable, Mapping):
        inner = [f'{rest}.{key}' if rest else str(key) for key in variable if key not in ('type', DELETE)]
        found = [path for path, _ in reads if any(path.endswith(f'.{key}') for key in inner)]
    sides = {'train': ('train',), 'test': ('val', 'test')}
    own = tuple(side for word in sides if word in name.split('_') for side in sides[word])
    return [path for path in found if own and path.startswith(own)] or found


def _looks_made_of(path: str, value: Any, name: str, variable: Any) -> bool:
    """Whether an entry of a variable's type may come from it; decides only what the message shows."""
    if isinstance(variable, str):
        return bool(variable) and bool(value.startswith(variable))
    named = f'_{name}'.endswith(f'_{path.rsplit(".", 1)[-1]}')
    if isinstance(variable, Mapping):
        return bool(variable) and (named or bool(value == variable))
    return bool(value == variable) and (named or (bool(variable) and isinstance(variable, list | tuple)))


def read_paths(tree: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """All entries that a run reads, with their dotted path, outer ones first."""
    return _paths({name: value for name, value in tree.items() if name in READ})


def _paths(node: Any, above: str = '') -> Iterator[tuple[str, Any]]:
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
