"""Fingerprint what a result depends on: config, code and data, entry by entry, so that a difference has a name."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..datasets.infos.files import find_infos
from .spec import ROOT

PACKAGE = Path(__file__).resolve().parents[1]
NOT_OF_RESULTS = ('synthetic', 'visualization', 'studies', 'apis', 'cli')
"""Rooms of the package that no training or test runs."""
COMMANDS = ('train', 'test', 'cache')
NOT_OF_MODELS = ('work_dir', 'launcher', 'resume', 'load_from')
VERSIONS = ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmdet3d')
SHOWN = 4

Parts = dict[str, str]


def digest(value: Any) -> str:
    """Return the SHA-256 of plain data."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


@functools.cache
def _file_digest(path: Path, size: int, changed: int) -> str:
    with path.open('rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, computed once for each state of it."""
    state = path.stat()
    return _file_digest(path, state.st_size, state.st_mtime_ns)


def load_config(config: str, words: Sequence[str]) -> Any:
    """Load a config with its overrides, without importing what it names.

    Raises:
        ValueError: If an override does not fit.
    """
    from bevdistill.engine.config_file import read_config
    from bevdistill.engine.overrides import parse_overrides

    return read_config(ROOT / config, parse_overrides(words))


def config_parts(cfg: Any) -> Parts:
    """Return all entries of a config that a result depends on, by dotted key."""
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


def project_folders(imports: Sequence[str]) -> list[str]:
    """Return the folders of the projects that a config imports, relative to the repository."""
    return sorted({'/'.join(name.split('.')[:2]) for name in imports if name.startswith('projects.')})


def code_parts(folders: Sequence[str] = ()) -> Parts:
    """Hash the source files that a training or test executes: the package, the commands, and further folders."""
    files = [path for path in PACKAGE.rglob('*.py') if path.relative_to(PACKAGE).parts[0] not in NOT_OF_RESULTS]
    files += [path for path in (PACKAGE / 'cli' / f'{name}.py' for name in COMMANDS) if path.is_file()]
    return {**_hashed(files), **folder_parts(folders)}


def folder_parts(folders: Sequence[str]) -> Parts:
    """Hash the source files below folders of the repository, configs aside."""
    return _hashed(p for folder in folders for p in (ROOT / folder).rglob('*.py') if 'configs' not in p.parts)


def _hashed(files: Iterable[Path]) -> Parts:
    base = PACKAGE.parent
    return {os.path.relpath(path, base): file_digest(path) for path in sorted(files)}


def entries(parts: Mapping[str, str], name: str, places: Sequence[str]) -> dict[str, str]:
    """Return the entries of some name, such as ``data_root``, below some top-level keys of a config."""
    return {key: value for key, value in parts.items() if key.endswith(f'.{name}') and key.split('.')[0] in places}


def data_parts(root: Path, files: Iterable[str]) -> Parts:
    """Hash what describes the data: ``synthetic.json`` where there is one, and information files.

    Raises:
        FileNotFoundError: If an information file is missing; says which command writes it.
    """
    parts = {}
    described = root / 'synthetic.json'
    if described.is_file():
        parts[described.name] = file_digest(described)
    for name in sorted(files):
        file = root / name
        file = Path(find_infos(file if file.is_file() else root / Path(name).name))
        parts[file.name] = file_digest(file)
    return parts


def differences(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """Name the parts that differ; empty if none do."""
    changed = [key for key in dict.fromkeys([*old, *new]) if old.get(key) != new.get(key)]
    texts = [f'{key} {_shown(old.get(key))} -> {_shown(new.get(key))}' for key in changed[:SHOWN]]
    return ', '.join(texts) + (f' and {len(changed) - SHOWN} more' if len(changed) > SHOWN else '')


def _shown(value: str | None) -> str:
    if value is None:
        return 'absent'
    return value[:8] if len(value) == 64 else value[:60]


def code_version() -> dict[str, Any]:
    """Return the commit and whether files were changed since; None where the checkout is no git repository."""

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(['git', *words], cwd=ROOT, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        return done.stdout.strip()

    changed = git('status', '--porcelain', '--', 'bevdistill', 'projects', 'tools', 'configs')
    return dict(commit=git('rev-parse', 'HEAD'), dirty=None if changed is None else bool(changed))


def machine() -> dict[str, Any]:
    """Return host and versions, which are recorded but not part of a fingerprint."""
    facts: dict[str, Any] = dict(host=platform.node(), cores=os.cpu_count(), python=platform.python_version())
    for package in VERSIONS:
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = None
    return facts
