"""Read and check a study file: which configs, over which seeds, with which inputs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import shorten
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from .yaml_file import read_yaml

_CHECKOUT = Path(__file__).resolve().parents[2]
ROOT = _CHECKOUT if (_CHECKOUT / 'configs').is_dir() else Path.cwd()
"""Folder that the relative paths of a study file start from."""
IGNORED = 'x-'
"""Prefix of keys that only hold YAML anchors."""
OUT = '{out}'
"""Stands for the output folder in the paths of data."""

ORDERS = ('rows', 'seeds')
WORDS = {list: 'a list', str: 'text', int: 'a whole number', dict: 'a dict', bool: 'true or false', float: 'a number'}
LEAST = {'pictures': 0, 'minutes': 0, 'top_k': 1, 'batch_size': 1, 'seed': 0}
"""Smallest values of numbers."""
MOVED = {'demo.yml': 'gain_sources.yml'}
"""New names of study files that used to lie in configs/synthetic/matrix."""


@dataclass(frozen=True)
class RowSpec:
    """One row of the table: a config that is trained and tested with several seeds. docs/studies.md has the keys.

    Overrides are ``--cfg-options`` words, the shared ones first; inputs lead from a config key to a row, ``row:seed``
    or file; the minutes of one run are for the time left before anything was measured.
    """

    name: str = ''
    title: str = ''
    config: str = ''
    overrides: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    base: str | None = None
    inputs: dict[str, str] = field(default_factory=dict)
    cache: str | None = None
    minutes: float | None = None
    optional: bool = False


@dataclass(frozen=True)
class CacheSpec:
    """A teacher's outputs, written once: by the config of a distillation, with the weights of a row or file."""

    config: str = ''
    checkpoint: str = ''
    overrides: tuple[str, ...] = ()
    taps: list[str] = field(default_factory=list)
    dtype: str | None = None
    top_k: int | None = None
    batch_size: int | None = None
    name: str = ''

    @property
    def flags(self) -> list[str]:
        """Further flags of the command."""
        named = {'--dtype': self.dtype, '--top-k': self.top_k, '--batch-size': self.batch_size}
        given = [str(word) for flag, value in named.items() if value is not None for word in (flag, value)]
        return [*(['--taps', *self.taps] if self.taps else []), *given]


@dataclass(frozen=True)
class SyntheticSpec:
    """Synthetic data that the study makes itself."""

    preset: str = 'demo'
    version: str = 'v1.0-trainval'
    seed: int = 0


@dataclass(frozen=True)
class StudySpec:
    """A whole study file; docs/studies.md explains every key."""

    name: str = ''
    label: str = ''
    data: str = ''
    held_out_data: str | None = None
    second_data: str | None = None
    synthetic: SyntheticSpec | None = None
    seeds: tuple[int, ...] = (0,)
    order: str = ORDERS[0]
    overrides: tuple[str, ...] = ()
    metrics: list[str] = field(default_factory=lambda: ['NDS', 'mAP'])
    predictions: bool = True
    pictures: int = 0
    caches: dict[str, CacheSpec] = field(default_factory=dict)
    rows: list[RowSpec] = field(default_factory=list)

    def row(self, name: str) -> RowSpec:
        """Return a row by its name."""
        return next(row for row in self.rows if row.name == name)


def load_study(path: Path, seeds: Sequence[int] = ()) -> StudySpec:
    """Read a study file.

    Args:
        path: The file.
        seeds: Replace the file's shared seeds; rows with seeds of their own keep them.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If something in it is wrong; all mistakes at once.
    """
    if not path.is_file() and path.parent.parts[-2:] == ('synthetic', 'matrix'):
        moved = path.parents[2] / 'studies' / MOVED.get(path.name, path.name)
        print(f'notice: {path} is now {moved}', file=sys.stderr)
        path = moved
    if not path.is_file():
        raise FileNotFoundError(f'no study file {path}')
    reader = _Reader()
    study = reader.study(read_yaml(path), path.stem, seeds)
    if reader.problems:
        raise ValueError(f'{path}:\n  ' + '\n  '.join(reader.problems))
    return study


def is_name(name: str) -> bool:
    """Tell whether a name can be that of a folder beside others, with a seed behind it."""
    return bool(name.strip('.')) and len(name.encode()) <= 200 and all(x.isalnum() or x in '-_.' for x in name)


def override_words(overrides: Any) -> tuple[str, ...]:
    """Turn ``{'a.b': 1, 'c': [1, 2]}`` into ``('a.b=1', 'c=[1,2]')``, as ``--cfg-options`` takes them.

    Raises:
        ValueError: If it is no mapping, or a value is a mapping.
    """
    if overrides is None:
        return ()
    if not isinstance(overrides, Mapping):
        raise ValueError(f'overrides are written key: value, got {overrides!r}')
    return tuple(f'{key}={_word(key, value)}' for key, value in overrides.items())


def _word(key: str, value: Any) -> str:
    if isinstance(value, Mapping):
        inner = next(iter(value), 'key')
        raise ValueError(f"override '{key}' is a mapping; write dotted keys, such as {key}.{inner}: ..")
    if isinstance(value, list):
        return '[' + ','.join(_word(key, entry) for entry in value) + ']'
    return str(value)


def split_input(source: str) -> tuple[str, int | None]:
    """Split ``teacher:1`` into ``('teacher', 1)``; the seed is None where there is none."""
    name, _, seed = source.rpartition(':')
    return (name, int(seed)) if name and seed.isdigit() else (source, None)


def is_file(source: str) -> bool:
    """Tell whether an input is a file and not a row."""
    return source.endswith('.pth')


class _Reader:
    """Turn the tree of a YAML file into a study and collect what is wrong with it."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def study(self, tree: Any, stem: str, seeds: Sequence[int]) -> StudySpec:
        found = self._known(StudySpec, tree, 'the study')
        for key, text in (('data', 'the study names no data: data: FOLDER'), ('rows', 'the study has no rows')):
            self.problems += [] if found.get(key) else [text]
        shared, place = self._overrides(found, 'the study'), 'the study'
        shared_seeds = self._seeds(list(seeds) or found.get('seeds', [0]), place)
        rows = [self._row(row, i, shared, shared_seeds) for i, row in enumerate(found.get('rows', []))]
        caches = {name: self._cache(name, cache, shared) for name, cache in found.get('caches', {}).items()}
        self._references(rows, list(caches.values()))
        if (order := found.get('order', ORDERS[0])) not in ORDERS:
            self.problems.append(f"the study: order is one of {list(ORDERS)}, got '{order}'")
        synthetic = self._known(SyntheticSpec, found['synthetic'], 'synthetic') if 'synthetic' in found else None
        found |= dict(seeds=shared_seeds, overrides=shared, rows=rows, caches=caches)
        found['synthetic'] = None if synthetic is None else SyntheticSpec(**synthetic)
        if 'second_data' in found:
            print("study: 'second_data' is called 'held_out_data' now; both work", file=sys.stderr)
        found['held_out_data'] = found.get('held_out_data', found.get('second_data'))
        name = found.get('name', stem)
        if not is_name(name):
            self.problems.append(f"the study: name '{name}' needs letters, digits, - _ . alone, 200 bytes at most")
        metrics = found.get('metrics', ['NDS'])
        if not metrics or len({*map(str, metrics)}) < len(metrics):
            self.problems.append(f'the study: metrics is a list of one or more different names, got {metrics}')
        return StudySpec(**{'name': stem, **found})

    def _known(self, kind: type, tree: Any, place: str) -> dict[str, Any]:
        """Return the entries that have a value and belong to a kind; others, and other types, are problems."""
        if not isinstance(tree, Mapping):
            self.problems.append(f'{place} is written key: value, got {shorten(repr(tree), 60)}')
            return {}
        hints = get_type_hints(kind)
        unknown = sorted(str(key) for key in tree if key not in hints and not str(key).startswith(IGNORED))
        if unknown:
            self.problems.append(f'{place} has unknown keys {unknown}; known are {list(hints)}')
        found = {key: tree[key] for key in hints if tree.get(key) is not None}
        for key, value in list(found.items()):
            types = _yaml_types(hints[key])
            # Overrides of another type have a message of their own.
            if key != 'overrides' and type(value) not in types:
                names = ' or '.join(WORDS.get(each, each.__name__) for each in types)
                quoted = '; put it in quotes' if str in types and not isinstance(value, Mapping | list) else ''
                self.problems.append(f'{place}: {key} is {names}, got {value!r}{quoted}')
                del found[key]
            elif get_args(hints[key]) == (str,) and not all(isinstance(entry, str) for entry in value):
                self.problems.append(f'{place}: {key} is a list of text, got {value!r}')
            elif key in LEAST and not value >= LEAST[key]:
                self.problems.append(f'{place}: {key} is at least {LEAST[key]}, got {value!r}')
        return found

    def _overrides(self, tree: Mapping[str, Any], place: str) -> tuple[str, ...]:
        try:
            words = override_words(tree.get('overrides'))
        except ValueError as error:
            self.problems.append(f'{place}: {error}')
            return ()
        if any(word.partition('=')[0] in ('randomness', 'randomness.seed') for word in words):
            self.problems.append(f"{place}: an override of the seed would reach no run; write it in 'seeds'")
        return words

    def _seeds(self, seeds: list[Any], place: str) -> tuple[int, ...]:
        if not seeds or not all(type(seed) is int and 0 <= seed < 2**32 for seed in seeds):
            self.problems.append(f'{place}: seeds is a list of whole numbers from 0 to below 2^32, got {seeds!r}')
            return (0,)
        if len(set(seeds)) < len(seeds):
            self.problems.append(f'{place}: seeds {seeds} has one twice')
        return tuple(seeds)

    def _row(self, tree: Any, index: int, shared: tuple[str, ...], seeds: tuple[int, ...]) -> RowSpec:
        name = str(tree.get('name', '')) if isinstance(tree, Mapping) else ''
        place = f"row '{name}'" if name else f'row {index}'
        found = self._known(RowSpec, tree, place)
        if not is_name(name):
            self.problems.append(f'{place} needs a name of letters, digits, - _ . for its folder, 200 bytes at most')
        found['seeds'] = self._seeds(found['seeds'], place) if 'seeds' in found else seeds
        return RowSpec(**{'title': name, **self._settled(found, shared, place)})

    def _cache(self, name: str, tree: Any, shared: tuple[str, ...]) -> CacheSpec:
        place = f"cache '{name}'"
        found = self._known(CacheSpec, tree, place)
        if 'checkpoint' not in found:
            self.problems.append(f'{place} needs a checkpoint: the row of the teacher, or a file')
        return CacheSpec(**{**self._settled(found, shared, place), 'name': name})

    def _settled(self, found: dict[str, Any], shared: tuple[str, ...], place: str) -> dict[str, Any]:
        """Check the config, and put the shared overrides before the own ones, which replace those of the same key."""
        if not (ROOT / found.get('config', '')).is_file():
            self.problems.append(f"{place}: no config '{found.get('config')}' (paths are relative to the repository)")
        words = {word.partition('=')[0]: word for word in (*shared, *self._overrides(found, place))}
        return found | dict(overrides=tuple(words.values()))

    def _references(self, rows: Sequence[RowSpec], caches: Sequence[CacheSpec]) -> None:
        """Check names that point at rows and caches; inputs come from rows above, so that there is no circle."""
        names = [row.name for row in rows]
        for name in sorted({name for name in names if names.count(name) > 1}):
            self.problems.append(f"two rows are called '{name}'")
        for row in rows:
            if row.base is not None and row.base not in {*names} - {row.name}:
                self.problems.append(f"row '{row.name}': its base '{row.base}' is no other row")
            if row.cache is not None and row.cache not in {cache.name for cache in caches}:
                self.problems.append(f"row '{row.name}': its cache '{row.cache}' is not among the caches")
            above = rows[: names.index(row.name)]
            for key, source in row.inputs.items():
                self._source(str(source), above, row.seeds, f"row '{row.name}', input {key}")
            for cache in caches:
                if cache.name == row.cache:
                    self._source(cache.checkpoint, above, (), f"row '{row.name}', cache '{cache.name}'")

    def _source(self, source: str, above: Sequence[RowSpec], seeds: Sequence[int], place: str) -> None:
        name, seed = split_input(source)
        if is_file(source):
            if not (ROOT / source).is_file():
                self.problems.append(f'{place}: no file {source}')
            return
        found = [row for row in above if row.name == name]
        if not found:
            self.problems.append(f"{place}: '{source}' is no row above and no .pth file")
        elif seed is not None and seed not in found[0].seeds:
            self.problems.append(f"{place}: row '{name}' has no seed {seed}")
        elif seed is None and len(found[0].seeds) > 1 and not (seeds and set(seeds) <= set(found[0].seeds)):
            self.problems.append(f"{place}: row '{name}' has several seeds; say which: {name}:{found[0].seeds[0]}")


def _yaml_types(hint: Any) -> tuple[type, ...]:
    """Return the types that a value of a field has in YAML."""
    kinds = [get_origin(each) or each for each in get_args(hint)] if get_origin(hint) in (UnionType, Union) else []
    kinds = [kind for kind in kinds or [get_origin(hint) or hint] if kind is not type(None)]
    written = {tuple: (list,), float: (int, float), SyntheticSpec: (dict,)}
    return tuple(each for kind in kinds for each in written.get(kind, (kind,)))
