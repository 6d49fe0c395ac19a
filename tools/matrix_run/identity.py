"""What a result depends on: config, code and data as hashes whose parts are kept, so that a difference has a name."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

from .locks import write_whole
from .spec import REPO

NOT_OF_RESULTS = ('synthetic', 'visualization')
"""Folders of the package that no training or test runs."""
NOT_OF_MODELS = ('work_dir', 'launcher', 'resume', 'load_from')
SHOWN = 4

Parts = dict[str, str]


def digest(value: Any) -> str:
    """SHA-256 of plain data."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


@functools.cache
def _file_digest(path: Path, size: int, changed: int) -> str:
    with path.open('rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file, computed once for each state of it."""
    state = path.stat()
    return _file_digest(path, state.st_size, state.st_mtime_ns)


def load(config: str, words: Sequence[str]) -> Any:
    """A config with its overrides.

    Raises:
        ValueError: If an override does not fit.
    """
    from mmengine.config import Config

    overrides = _overrides_module()
    cfg = Config.fromfile(str(REPO / config), import_custom_modules=False)
    overrides.apply_overrides(cfg, overrides.parse_overrides(words))
    return cfg


@functools.cache
def _overrides_module() -> ModuleType:
    """``bevdistill.engine.overrides`` alone: the package around it needs seconds and half a gigabyte."""
    spec = importlib.util.spec_from_file_location('overrides_alone', REPO / 'bevdistill' / 'engine' / 'overrides.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def config_parts(cfg: Any) -> Parts:
    """All entries of a config that a result depends on, by dotted key."""
    tree = {key: value for key, value in cfg.to_dict().items() if key not in NOT_OF_MODELS}
    return dict(_leaves(tree, ''))


def _leaves(node: Any, path: str) -> Iterator[tuple[str, str]]:
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(node, Mapping):
        items = node.items()
    elif isinstance(node, list | tuple):
        items = enumerate(node)
    if not items or not node:
        yield path, repr(list(node) if isinstance(node, tuple) else node)
        return
    for key, value in items:
        yield from _leaves(value, f'{path}.{key}' if path else str(key))


def code_parts(imports: Sequence[str]) -> Parts:
    """Hashes of the source files that a run executes: the package, the tools, the projects that its config imports."""
    package = REPO / 'bevdistill'
    files = [path for path in package.rglob('*.py') if path.relative_to(package).parts[0] not in NOT_OF_RESULTS]
    files += [REPO / 'tools' / name for name in ('train.py', 'test.py', 'cache_teacher.py')]
    for name in imports:
        if name.startswith('projects.'):
            files += [p for p in (REPO / 'projects' / name.split('.')[1]).rglob('*.py') if 'configs' not in p.parts]
    return {str(path.relative_to(REPO)): file_digest(path) for path in sorted(files)}


def data_parts(cfg: Any, root: Path, splits: Sequence[str] = ('train', 'test')) -> Parts:
    """Hashes of what describes the data: ``synthetic.json`` where there is one, and the information files in use.

    Raises:
        FileNotFoundError: If an information file is missing; says which command writes it.
    """
    parts = {}
    described = root / 'synthetic.json'
    if described.is_file():
        parts[described.name] = file_digest(described)
    readers = [cfg.get(f'{split}_dataloader') for split in splits]
    names = {name for reader in readers if reader is not None for name in _values(reader.to_dict(), 'ann_file')}
    for name in sorted(names):
        file = Path(name) if os.path.isabs(name) else root / name
        file = file if file.is_file() else root / Path(name).name
        if not file.is_file():
            raise FileNotFoundError(
                f'no information file {file}; write it with: tools/create_data.py nuscenes --root-path {root} '
                '--version VERSION'
            )
        parts[file.name] = file_digest(file)
    return parts


def _values(node: Any, key: str) -> Iterator[str]:
    children: Iterable[Any] = ()
    if isinstance(node, Mapping):
        if isinstance(node.get(key), str):
            yield node[key]
        children = node.values()
    elif isinstance(node, list | tuple):
        children = node
    for child in children:
        yield from _values(child, key)


class Library:
    """The parts behind the hashes that records name, one file each.

    Args:
        folder: Where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, parts: Parts) -> str:
        """Keep parts; returns their hash."""
        name = digest(parts)
        file = self._folder / f'{name}.json'
        if not file.exists():
            write_whole(file, json.dumps(parts))
        return name

    def differences(self, before: str, now: str) -> str:
        """The parts that differ between two hashes, in words."""
        try:
            old, new = (json.loads((self._folder / f'{name}.json').read_text()) for name in (before, now))
        except FileNotFoundError:
            return f'{before[:12]} is now {now[:12]}'
        changed = [key for key in dict.fromkeys([*old, *new]) if old.get(key) != new.get(key)]
        texts = [f'{key} {_shown(old.get(key))} -> {_shown(new.get(key))}' for key in changed[:SHOWN]]
        return ', '.join(texts) + (f' and {len(changed) - SHOWN} more' if len(changed) > SHOWN else '')


def _shown(value: str | None) -> str:
    if value is None:
        return 'absent'
    return value[:8] if len(value) == 64 else value[:60]


def code_version() -> dict[str, Any]:
    """Commit and whether files were changed since; None where the checkout is no git repository."""

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(['git', *words], cwd=REPO, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        return done.stdout.strip()

    changed = git('status', '--porcelain', '--', 'bevdistill', 'projects', 'tools', 'configs')
    return dict(commit=git('rev-parse', 'HEAD'), dirty=None if changed is None else bool(changed))


def machine() -> dict[str, Any]:
    """Where results come from; told, not compared."""
    facts: dict[str, Any] = dict(host=platform.node(), cores=os.cpu_count(), python=platform.python_version())
    for package in ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmdet3d'):
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = None
    return facts
