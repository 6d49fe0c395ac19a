"""The matrix file: which configs, over which seeds, with which inputs. Every mistake in it is named with its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

REPO = Path(__file__).resolve().parents[2]
IGNORED = 'x-'
"""Keys that begin so are for YAML anchors."""

MATRIX_KEYS = ('name', 'data', 'second_data', 'seeds', 'order', 'overrides', 'metrics', 'predictions', 'caches', 'rows')
ROW_KEYS = ('name', 'title', 'config', 'overrides', 'seeds', 'base', 'inputs', 'cache', 'minutes')
ORDERS = ('rows', 'seeds')
CACHE_KEYS = ('config', 'checkpoint', 'overrides', 'taps', 'dtype', 'top_k', 'batch_size')


@dataclass(frozen=True)
class RowSpec:
    """One row of the table: a config that is trained and tested with several seeds.

    Args:
        name: Name of its work dirs.
        title: Name in the table.
        config: Config file, relative to the repository.
        overrides: ``--cfg-options`` words of training and testing, the shared ones first.
        seeds: Seeds.
        base: Row that it is compared with, or None.
        inputs: From a config key to where its file comes from: another row, ``row:seed``, or a file.
        cache: Name of the teacher cache that its training reads, or None.
        minutes: Expected minutes of one run, for the time left before anything was measured.
    """

    name: str
    title: str
    config: str
    overrides: tuple[str, ...]
    seeds: tuple[int, ...]
    base: str | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    cache: str | None = None
    minutes: float | None = None


@dataclass(frozen=True)
class CacheSpec:
    """A teacher's outputs, written once by tools/cache_teacher.py.

    Args:
        name: Name of its folder.
        config: Config of a distillation.
        checkpoint: Row, ``row:seed`` or file of the teacher's weights.
        overrides: ``--cfg-options`` words.
        flags: Further flags of the tool.
    """

    name: str
    config: str
    checkpoint: str
    overrides: tuple[str, ...]
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Matrix:
    """A whole matrix file."""

    name: str
    data: str
    second_data: str | None
    rows: tuple[RowSpec, ...]
    caches: tuple[CacheSpec, ...]
    metrics: tuple[str, ...]
    predictions: bool
    by_seeds: bool = False

    def row(self, name: str) -> RowSpec:
        """A row by its name."""
        return next(row for row in self.rows if row.name == name)


def load_matrix(path: Path) -> Matrix:
    """Read a matrix file.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If something in it is wrong; all mistakes at once.
    """
    if not path.is_file():
        raise FileNotFoundError(f'no matrix file {path}')
    try:
        tree = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ValueError(f'{path} is not YAML: {error}') from None
    reader = _Reader()
    matrix = reader.matrix(tree, path.stem)
    if reader.problems:
        raise ValueError(f'{path}:\n  ' + '\n  '.join(reader.problems))
    return matrix


def override_words(overrides: Any) -> tuple[str, ...]:
    """``{'a.b': 1, 'c': [1, 2]}`` to ``('a.b=1', 'c=[1,2]')``, as ``--cfg-options`` takes them.

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
    """``teacher:1`` to ``('teacher', 1)``; without a seed None."""
    name, _, seed = source.rpartition(':')
    return (name, int(seed)) if name and seed.isdigit() else (source, None)


def is_file(source: str) -> bool:
    """Whether an input is a file and not a row."""
    return source.endswith('.pth')


class _Reader:
    """Turns the tree of a YAML file into a matrix and gathers what is wrong with it."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def matrix(self, tree: Any, stem: str) -> Matrix:
        tree = self._known(tree, MATRIX_KEYS, 'the matrix')
        shared, seeds = self._overrides(tree, 'the matrix'), self._seeds(tree.get('seeds', [0]), 'the matrix')
        if 'data' not in tree:
            self.problems.append('the matrix names no data: data: FOLDER')
        rows = tuple(self._row(row, i, shared, seeds) for i, row in enumerate(tree.get('rows') or []))
        caches = tuple(self._cache(name, cache, shared) for name, cache in (tree.get('caches') or {}).items())
        if not rows:
            self.problems.append('the matrix has no rows')
        self._references(rows, caches)
        return Matrix(
            name=str(tree.get('name', stem)),
            data=str(tree.get('data')),
            second_data=tree.get('second_data'),
            rows=rows,
            caches=caches,
            metrics=tuple(tree.get('metrics') or ('NDS', 'mAP')),
            predictions=bool(tree.get('predictions', True)),
            by_seeds=self._order(tree) == 'seeds',
        )

    def _order(self, tree: Mapping[str, Any]) -> str:
        order = str(tree.get('order', ORDERS[0]))
        if order not in ORDERS:
            self.problems.append(f"the matrix: order is one of {list(ORDERS)}, got '{order}'")
        return order

    def _known(self, tree: Any, keys: Sequence[str], place: str) -> dict[str, Any]:
        if not isinstance(tree, Mapping):
            self.problems.append(f'{place} is written key: value, got {tree!r}')
            return {}
        unknown = sorted(str(key) for key in tree if key not in keys and not str(key).startswith(IGNORED))
        if unknown:
            self.problems.append(f'{place} has unknown keys {unknown}; known are {list(keys)}')
        return dict(tree)

    def _overrides(self, tree: Mapping[str, Any], place: str) -> tuple[str, ...]:
        try:
            return override_words(tree.get('overrides'))
        except ValueError as error:
            self.problems.append(f'{place}: {error}')
            return ()

    def _seeds(self, seeds: Any, place: str) -> tuple[int, ...]:
        if not isinstance(seeds, list) or not seeds or not all(type(seed) is int for seed in seeds):
            self.problems.append(f'{place}: seeds is a list of whole numbers, got {seeds!r}')
            return (0,)
        if len(set(seeds)) < len(seeds):
            self.problems.append(f'{place}: seeds {seeds} has one twice')
        return tuple(seeds)

    def _config(self, tree: Mapping[str, Any], place: str) -> str:
        config = str(tree.get('config', ''))
        if not (REPO / config).is_file():
            self.problems.append(f"{place}: no config '{config}' (paths are relative to the repository)")
        return config

    def _row(self, tree: Any, index: int, shared: tuple[str, ...], seeds: tuple[int, ...]) -> RowSpec:
        name = str(tree.get('name', '')) if isinstance(tree, Mapping) else ''
        place = f"row '{name}'" if name else f'row {index}'
        tree = self._known(tree, ROW_KEYS, place)
        if not name or not all(letter.isalnum() or letter in '-_.' for letter in name):
            self.problems.append(f'{place} needs a name of letters, digits, - _ . for its folder')
        return RowSpec(
            name=name,
            title=str(tree.get('title', name)),
            config=self._config(tree, place),
            overrides=_merged(shared, self._overrides(tree, place)),
            seeds=self._seeds(tree['seeds'], place) if 'seeds' in tree else seeds,
            base=tree.get('base'),
            inputs=dict(tree.get('inputs') or {}),
            cache=tree.get('cache'),
            minutes=tree.get('minutes'),
        )

    def _cache(self, name: str, tree: Any, shared: tuple[str, ...]) -> CacheSpec:
        place = f"cache '{name}'"
        tree = self._known(tree, CACHE_KEYS, place)
        if 'checkpoint' not in tree:
            self.problems.append(f'{place} needs a checkpoint: the row of the teacher, or a file')
        flags: list[str] = ['--taps', *tree['taps']] if 'taps' in tree else []
        for key in ('dtype', 'top_k', 'batch_size'):
            flags += ['--' + key.replace('_', '-'), str(tree[key])] if key in tree else []
        words = _merged(shared, self._overrides(tree, place))
        return CacheSpec(name, self._config(tree, place), str(tree.get('checkpoint', '')), words, tuple(flags))

    def _references(self, rows: Sequence[RowSpec], caches: Sequence[CacheSpec]) -> None:
        """Names that point at rows and caches: they exist, and inputs come from rows above, so that nothing waits."""
        names = [row.name for row in rows]
        for name in sorted({name for name in names if names.count(name) > 1}):
            self.problems.append(f"two rows are called '{name}'")
        for row in rows:
            if row.base is not None and row.base not in names:
                self.problems.append(f"row '{row.name}': its base '{row.base}' is no row")
            if row.cache is not None and row.cache not in {cache.name for cache in caches}:
                self.problems.append(f"row '{row.name}': its cache '{row.cache}' is not among the caches")
            above = rows[: names.index(row.name)]
            for key, source in row.inputs.items():
                self._source(source, above, row.seeds, f"row '{row.name}', input {key}")
            used = [cache for cache in caches if cache.name == row.cache]
            for cache in used:
                self._source(cache.checkpoint, above, (), f"row '{row.name}', cache '{cache.name}'")

    def _source(self, source: str, above: Sequence[RowSpec], seeds: Sequence[int], place: str) -> None:
        name, seed = split_input(source)
        if is_file(source):
            if not (REPO / source).is_file():
                self.problems.append(f'{place}: no file {source}')
            return
        found = [row for row in above if row.name == name]
        if not found:
            self.problems.append(f"{place}: '{source}' is no row above and no .pth file")
        elif seed is not None and seed not in found[0].seeds:
            self.problems.append(f"{place}: row '{name}' has no seed {seed}")
        elif seed is None and len(found[0].seeds) > 1 and not (seeds and set(seeds) <= set(found[0].seeds)):
            self.problems.append(f"{place}: row '{name}' has several seeds; say which: {name}:{found[0].seeds[0]}")


def _merged(shared: Sequence[str], own: Sequence[str]) -> tuple[str, ...]:
    """Shared override words, replaced by own ones of the same key."""
    words = {word.partition('=')[0]: word for word in (*shared, *own)}
    return tuple(words.values())
