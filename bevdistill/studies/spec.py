"""Read and check a study file: which configs, over which seeds, with which inputs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_CHECKOUT = Path(__file__).resolve().parents[2]
ROOT = _CHECKOUT if (_CHECKOUT / 'configs').is_dir() else Path.cwd()
"""Folder that the relative paths of a study file start from."""
IGNORED = 'x-'
"""Prefix of keys that only hold YAML anchors."""
OUT = '{out}'
"""Stands for the output folder in the paths of data."""

TEXT, WHOLE, NUMBER = (str,), (int,), (int, float)
STUDY_KEYS: dict[str, tuple[type, ...]] = dict(
    name=TEXT, label=TEXT, data=TEXT, held_out_data=TEXT, second_data=TEXT, synthetic=(dict,), seeds=(list,),
    order=TEXT, overrides=(dict,), metrics=(list,), predictions=(bool,), pictures=WHOLE, caches=(dict,), rows=(list,),
)  # fmt: skip
ROW_KEYS: dict[str, tuple[type, ...]] = dict(
    name=TEXT, title=TEXT, config=TEXT, overrides=(dict, list), seeds=(list,), base=TEXT, inputs=(dict,), cache=TEXT,
    minutes=NUMBER, optional=(bool,),
)  # fmt: skip
CACHE_KEYS: dict[str, tuple[type, ...]] = dict(
    config=TEXT, checkpoint=TEXT, overrides=(dict,), taps=(list,), dtype=TEXT, top_k=WHOLE, batch_size=WHOLE
)
SYNTHETIC_KEYS: dict[str, tuple[type, ...]] = dict(preset=TEXT, version=TEXT, seed=WHOLE)
ORDERS = ('rows', 'seeds')
MOVED = {'demo.yml': 'gain_sources.yml'}
"""New names of study files that used to lie in configs/synthetic/matrix."""


@dataclass(frozen=True)
class RowSpec:
    """One row of the table: a config that is trained and tested with several seeds.

    Args:
        name: Name of its work dirs.
        title: Name in the table.
        config: Config file, relative to :data:`ROOT`.
        overrides: ``--cfg-options`` words of training and testing, the shared ones first.
        seeds: Seeds.
        base: Row that it is compared with, or None.
        inputs: From a config key to the source of its file: another row, ``row:seed``, or a file.
        cache: Name of the teacher cache that its training reads, or None.
        minutes: Expected minutes of one run, for the time left before anything was measured.
        optional: Whether it is run only where it is asked for by name, or needed.
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
    optional: bool = False


@dataclass(frozen=True)
class CacheSpec:
    """A teacher's outputs, written once by ``cache``.

    Args:
        name: Name of its folder.
        config: Config of a distillation.
        checkpoint: Row, ``row:seed`` or file of the teacher's weights.
        overrides: ``--cfg-options`` words.
        flags: Further flags of the command.
    """

    name: str
    config: str
    checkpoint: str
    overrides: tuple[str, ...]
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class StudySpec:
    """A whole study file; docs/studies.md explains every key."""

    name: str
    data: str
    rows: tuple[RowSpec, ...]
    caches: tuple[CacheSpec, ...] = ()
    metrics: tuple[str, ...] = ('NDS', 'mAP')
    held_out_data: str | None = None
    synthetic: Mapping[str, Any] | None = None
    predictions: bool = True
    pictures: int = 0
    by_seeds: bool = False
    label: str = ''

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
    try:
        tree = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ValueError(f'{path} is not YAML: {error}') from None
    reader = _Reader()
    study = reader.study(tree, path.stem, seeds)
    if reader.problems:
        raise ValueError(f'{path}:\n  ' + '\n  '.join(reader.problems))
    return study


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
        place = 'the study'
        tree = self._known(tree, STUDY_KEYS, place)
        shared = self._overrides(tree, place)
        shared_seeds = self._seeds(list(seeds) or tree.get('seeds', [0]), place)
        if 'data' not in tree:
            self.problems.append('the study names no data: data: FOLDER')
        rows = tuple(self._row(row, i, shared, shared_seeds) for i, row in enumerate(tree.get('rows') or []))
        caches = tuple(self._cache(name, cache, shared) for name, cache in (tree.get('caches') or {}).items())
        if not rows:
            self.problems.append('the study has no rows')
        self._references(rows, caches)
        order = tree.get('order', ORDERS[0])
        if order not in ORDERS:
            self.problems.append(f"the study: order is one of {list(ORDERS)}, got '{order}'")
        synthetic = self._known(tree['synthetic'], SYNTHETIC_KEYS, 'synthetic') if 'synthetic' in tree else None
        return StudySpec(
            name=tree.get('name', stem), data=str(tree.get('data')), rows=rows, caches=caches,
            metrics=tuple(tree.get('metrics') or ('NDS', 'mAP')),
            held_out_data=tree.get('held_out_data', tree.get('second_data')), synthetic=synthetic,
            predictions=tree.get('predictions', True), pictures=tree.get('pictures', 0), by_seeds=order == 'seeds',
            label=tree.get('label', ''),
        )  # fmt: skip

    def _known(self, tree: Any, keys: Mapping[str, tuple[type, ...]], place: str) -> dict[str, Any]:
        """Return the known entries that have a value; unknown keys and values of another type are problems."""
        if not isinstance(tree, Mapping):
            self.problems.append(f'{place} is written key: value, got {tree!r}')
            return {}
        unknown = sorted(str(key) for key in tree if key not in keys and not str(key).startswith(IGNORED))
        if unknown:
            self.problems.append(f'{place} has unknown keys {unknown}; known are {list(keys)}')
        found = {}
        for key, types in keys.items():
            value = tree.get(key)
            if value is None:
                continue
            if isinstance(value, types) and (type(value) is not bool or bool in types):
                found[key] = value
            else:
                names = ' or '.join(kind.__name__ for kind in types)
                self.problems.append(f'{place}: {key} is {names}, got {value!r}')
        return found

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
        if not (ROOT / config).is_file():
            self.problems.append(f"{place}: no config '{config}' (paths are relative to the repository)")
        return config

    def _row(self, tree: Any, index: int, shared: tuple[str, ...], seeds: tuple[int, ...]) -> RowSpec:
        name = str(tree.get('name', '')) if isinstance(tree, Mapping) else ''
        place = f"row '{name}'" if name else f'row {index}'
        tree = self._known(tree, ROW_KEYS, place)
        if not name or not all(letter.isalnum() or letter in '-_.' for letter in name):
            self.problems.append(f'{place} needs a name of letters, digits, - _ . for its folder')
        return RowSpec(
            name=name, title=tree.get('title', name), config=self._config(tree, place),
            overrides=_merged(shared, self._overrides(tree, place)),
            seeds=self._seeds(tree['seeds'], place) if 'seeds' in tree else seeds,
            base=tree.get('base'), inputs=tree.get('inputs', {}), cache=tree.get('cache'), minutes=tree.get('minutes'),
            optional=tree.get('optional', False),
        )  # fmt: skip

    def _cache(self, name: str, tree: Any, shared: tuple[str, ...]) -> CacheSpec:
        place = f"cache '{name}'"
        tree = self._known(tree, CACHE_KEYS, place)
        if 'checkpoint' not in tree:
            self.problems.append(f'{place} needs a checkpoint: the row of the teacher, or a file')
        flags: list[str] = ['--taps', *tree['taps']] if 'taps' in tree else []
        for key in ('dtype', 'top_k', 'batch_size'):
            flags += ['--' + key.replace('_', '-'), str(tree[key])] if key in tree else []
        words = _merged(shared, self._overrides(tree, place))
        return CacheSpec(name, self._config(tree, place), tree.get('checkpoint', ''), words, tuple(flags))

    def _references(self, rows: Sequence[RowSpec], caches: Sequence[CacheSpec]) -> None:
        """Check names that point at rows and caches; inputs come from rows above, so that there is no circle."""
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


def _merged(shared: Sequence[str], own: Sequence[str]) -> tuple[str, ...]:
    """Return shared override words, replaced by own ones of the same key."""
    words = {word.partition('=')[0]: word for word in (*shared, *own)}
    return tuple(words.values())
