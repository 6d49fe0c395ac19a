"""Refuse configs that cannot be meant: top-level keys that are nearly those of a run, and values that cannot be."""

from __future__ import annotations

import difflib
import math
import reprlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from .data_root import dicts
from .overrides import FORMER, READ

RUN_KEYS = (*sorted(READ), 'launcher', 'vis_backends')
"""What may stand at the top of a config and is no variable, which other entries of it use."""

LOADED = ('train_dataloader', 'val_dataloader', 'test_dataloader', 'val_evaluator', 'test_evaluator')
READERS = {'NuScenesDataset': 'SequenceNuScenesDataset', 'NuScenesMetric': 'BEVNuScenesMetric'}
"""Classes of mmdet3d that read no information files as they are written today, and ours."""

ALIKE = 0.85
_DICT, _LIST, _TEXT = ('a dict', (Mapping,)), ('a list of dicts', (list, tuple)), ('text', (str,))
KINDS: dict[str, tuple[str, tuple[type, ...]]] = {
    **dict.fromkeys(
        (
            'model', 'train_dataloader', 'val_dataloader', 'test_dataloader', 'train_cfg', 'val_cfg', 'test_cfg',
            'optim_wrapper', 'default_hooks', 'env_cfg', 'randomness', 'log_processor', 'custom_imports',
            'auto_scale_lr', 'visualizer', 'data_preprocessor', 'model_wrapper_cfg',
        ), _DICT,
    ),
    'custom_hooks': _LIST, 'work_dir': _TEXT, 'load_from': _TEXT, 'default_scope': _TEXT, 'experiment_name': _TEXT,
    'param_scheduler': ('a dict or a list of dicts', (Mapping, list, tuple)),
    'val_evaluator': ('a dict or a list of dicts', (Mapping, list, tuple)),
    'test_evaluator': ('a dict or a list of dicts', (Mapping, list, tuple)),
}  # fmt: skip
"""What entries of a run are, in words and as types; each may be None."""


class Limit(NamedTuple):
    """What an entry of a name has to be, in words and as a test of a value."""

    expected: str
    holds: Callable[[Any], bool]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _from(low: int, high: float = math.inf) -> Limit:
    end = 'on' if high == math.inf else f'to {high:,}'
    return Limit(f'a whole number from {low} {end}', lambda v: type(v) is int and low <= v <= high)


def _numbers(value: Any, count: int) -> bool:
    return isinstance(value, Sequence) and len(value) == count and all(map(_number, value))


ABOVE_0 = Limit('a number above 0', lambda v: _number(v) and v > 0)
FROM_0 = Limit('a number from 0 on', lambda v: _number(v) and v >= 0)
PART = Limit('a number from 0 to below 1', lambda v: _number(v) and 0 <= v < 1)
EVERY = Limit('a whole number from 1 on, or -1 for never', lambda v: type(v) is int and (v >= 1 or v == -1))
BETAS = Limit('2 numbers from 0 to below 1', lambda v: _numbers(v, 2) and all(0 <= beta < 1 for beta in v))
RANGE = Limit(
    'x, y, z from, then x, y, z to, each above where it starts (or x, y from alone)',
    lambda v: _numbers(v, 2) or (_numbers(v, 6) and all(low < high for low, high in zip(v[:3], v[3:], strict=True))),
)
NAMES = Limit(
    'a list of different names',
    lambda v: isinstance(v, list | tuple) and all(isinstance(name, str) and name for name in v) and len({*v}) == len(v),
)
MILESTONES = Limit(
    'a list of whole numbers from 1 on',
    lambda v: isinstance(v, list | tuple) and all(type(entry) is int and entry > 0 for entry in v),
)
SEED = Limit('a whole number from 0 to below 2^32', lambda v: type(v) is int and 0 <= v < 2**32)
LEVEL = Limit(
    "a level such as 'INFO'",
    lambda v: type(v) is int or v in ('CRITICAL', 'FATAL', 'ERROR', 'WARNING', 'WARN', 'INFO', 'DEBUG', 'NOTSET'),
)
LIMITS: dict[str, Limit] = {
    'categories': Limit('a dict from category to class', lambda v: False),  # A dict is not asked.
    'classes': NAMES, 'class_names': NAMES, 'cameras': NAMES, 'log_level': LEVEL,
    'allow_missing': NAMES, 'allow_unexpected': NAMES,
    'voxel_size': Limit('3 numbers above 0', lambda v: (_numbers(v, 3) or _numbers(v, 2)) and min(v) > 0),
    'point_cloud_range': RANGE, 'pc_range': RANGE,
    'betas': BETAS, 'max_norm': ABOVE_0, 'clip_value': ABOVE_0, 'lr': FROM_0, 'weight_decay': FROM_0, 'eps': FROM_0,
    'weight': FROM_0, 'loss_weight': FROM_0, 'temperature': ABOVE_0, 'timeout': FROM_0,
    'dropout': PART, 'attn_drop': PART, 'ffn_drop': PART, 'drop_prob': PART,
    'batch_size': _from(1, 1_000_000), 'num_workers': _from(0, 10_000), 'max_epochs': _from(1), 'max_iters': _from(1),
    'accumulative_counts': _from(1), 'queue_length': _from(1), 'num_classes': _from(1), 'num_query': _from(1),
    'num_queries': _from(1), 'rows': _from(1), 'cols': _from(1), 'seed': SEED, 'embed_dims': _from(1),
    'num_layers': _from(1), 'sweeps_num': _from(0), 'base_batch_size': _from(1),
    'patience': _from(0), 'min_delta': FROM_0, 'T_max': _from(1), 'milestones': MILESTONES,
    'interval': EVERY, 'val_interval': EVERY, 'max_keep_ckpts': EVERY,
}  # fmt: skip
"""By the last part of a key; None, an entry that is not set, is right everywhere."""


def check_config(cfg: Mapping[str, Any], source: str) -> None:
    """Refuse misspelt top-level keys, keys of former configs, and values that cannot be; names all.

    Args:
        cfg: Content of the config, after overrides.
        source: Its file.

    Raises:
        ValueError: In one line: the file, each key, what was expected and found.
    """
    wrong = [*misspelt(cfg), *of_another_kind(cfg), *of_mmdet3d(cfg), *impossible(cfg, '')]
    if wrong:
        raise ValueError(f'{source}: {"; ".join(wrong)}. Correct the config, or the override')


def misspelt(cfg: Mapping[str, Any]) -> Iterator[str]:
    """Yield top-level keys that no run reads, and that are nearly one that is read, or were one once.

    A variable may have the name of a key of a run with words before or after it, such as ``my_train_dataloader``.
    """
    for key in cfg:
        if key in RUN_KEYS:
            continue
        if key in FORMER and 'optim_wrapper' not in cfg and 'train_dataloader' not in cfg:
            yield f'{key}: no run reads this key of configs before mmengine; its content goes to {FORMER[key]}'
            continue
        near = _nearest(key)
        if near and not key.endswith(f'_{near[0]}') and not key.startswith(f'{near[0]}_'):
            yield f"{key}: expected '{near[0]}', found a key that no run reads; a variable needs a name less like it"


@cache
def _nearest(key: str) -> list[str]:
    """Return the key of a run that another key is nearly, if there is one."""
    return difflib.get_close_matches(key, RUN_KEYS, n=1, cutoff=ALIKE)


def of_another_kind(cfg: Mapping[str, Any]) -> Iterator[str]:
    """Yield top-level entries that are no dict, list or text where a run reads one."""
    for key, (expected, types) in KINDS.items():
        value = cfg.get(key)
        listed = isinstance(value, list | tuple) and not all(isinstance(entry, Mapping) for entry in value)
        if value is not None and (not isinstance(value, types) or listed):
            yield f'{key}: expected {expected}, found {reprlib.repr(value)}'


def of_mmdet3d(cfg: Mapping[str, Any]) -> Iterator[str]:
    """Yield data sets and metrics of mmdet3d that cannot read the information file that they are given."""
    for part in LOADED:
        for reader in dicts(cfg.get(part)):
            ours = READERS.get(str(reader.get('type')).removeprefix('mmdet3d.'))
            if ours and str(reader.get('ann_file')).endswith('.msgpack.gz'):
                yield f"{part}: type='{reader['type']}' of mmdet3d cannot read {reader['ann_file']}; use type='{ours}'"


def check_halves(cfg: Mapping[str, Any]) -> None:
    """Refuse a validation or a test of which some of loader, loop and metric are None.

    Raises:
        ValueError: Names them.
    """
    for split in ('val', 'test'):
        parts = [f'{split}_{part}' for part in ('cfg', 'dataloader', 'evaluator')]
        none = [part for part in parts if cfg.get(part) is None]
        if 0 < len(none) < len(parts):
            raise ValueError(
                f'{", ".join(parts)}: expected all three or none of them, found None for {", ".join(none)}; to do '
                f'without: --cfg-options {" ".join(f"{part}=None" for part in parts)}'
            )


def impossible(node: Any, path: str) -> Iterator[str]:
    """Yield entries whose value cannot be, by the last part of their key."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            here = f'{path}.{key}' if path else str(key)
            limit = LIMITS.get(str(key))
            if limit is not None and value is not None and not isinstance(value, Mapping):
                if not limit.holds(value):
                    yield f'{here}: expected {limit.expected}, found {value!r}'
            else:
                yield from impossible(value, here)
    elif isinstance(node, list | tuple):
        for position, value in enumerate(node):
            yield from impossible(value, f'{path}.{position}')
