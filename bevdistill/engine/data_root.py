"""Point all data sets and metrics of a config at one data root."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config

PARTS = ('train_dataloader', 'val_dataloader', 'test_dataloader', 'val_evaluator', 'test_evaluator')


def set_data_root(cfg: Config, root: str | Path) -> None:
    """Replace ``data_root`` in the loaders and evaluators of a config, and in paths that begin with it.

    Args:
        cfg: The config to change.
        root: Folder with the sensors' data and the information files.

    Raises:
        NotADirectoryError: If there is no such folder.
        ValueError: If the config has no data root.
    """
    root = Path(root).expanduser()
    if not root.is_dir():
        raise NotADirectoryError(f'--data-root: no folder {root}')
    parts = [cfg[name] for name in PARTS if cfg.get(name) is not None]
    places = [place for part in parts for place in dicts(part)]
    earlier = sorted({str(place['data_root']) for place in places if place.get('data_root')}, key=len, reverse=True)
    if not earlier:
        raise ValueError(f'--data-root: {cfg.filename} has no data_root in its loaders and metrics')
    folder = f'{root}/'
    for place in places:
        for key, value in place.items():
            under = next((old for old in earlier if isinstance(value, str) and _is_under(value, old)), None)
            if under is not None:
                place[key] = folder + value[len(under) :].lstrip('/')


def _is_under(path: str, root: str) -> bool:
    return path == root or path.startswith(root if root.endswith('/') else f'{root}/')


def dicts(node: Any) -> Iterator[dict[str, Any]]:
    """Yield all dicts of a tree."""
    if isinstance(node, dict):
        yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list | tuple) else ():
        yield from dicts(inner)
