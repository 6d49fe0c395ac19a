"""Have mmengine's loader read checkpoints as plain data, whatever torch's default is.

torch reads plain data alone from 2.6 on, unless ``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD`` is set; otherwise loading
a file runs what is in it. The loaders of local files and of addresses that mmengine's runner uses are replaced through
its own registry of schemes when this module is imported; those of other schemes (``torchvision://``, ``open-mmlab://``,
``s3://``) run with torch told to read plain data alone.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from mmengine.dist import barrier, get_rank
from mmengine.runner import CheckpointLoader

from .damage import check_content, check_whole
from .refusal import refused_in_our_words

FORCED, UNFORCED = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD', 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'


@CheckpointLoader.register_scheme(prefixes='', force=True)
def load_local(filename: str, map_location: Any = None) -> Any:
    """Read a local checkpoint as plain data.

    Args:
        filename: The file.
        map_location: As of ``torch.load``.

    Raises:
        FileNotFoundError: If there is no such file.
        DamagedCheckpointError: If it is not what was written.
        UnsafeCheckpointError: If it holds more than tensors and plain data.
        ValueError: If it holds something else than weights and meta data by name.
    """
    path = Path(filename).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'no checkpoint {path}')
    check_whole(path)
    with refused_in_our_words(str(path)):
        content = torch.load(path, map_location=map_location, weights_only=True)
    check_content(content, str(path))
    return content


@CheckpointLoader.register_scheme(prefixes=('http://', 'https://'), force=True)
def load_address(filename: str, map_location: Any = None, **options: Any) -> Any:
    """Download a checkpoint, the first process before the others, and read it as plain data.

    Args:
        filename: Its address.
        map_location: As of ``torch.load``.
        **options: Of ``torch.hub.load_state_dict_from_url``.

    Raises:
        ConnectionError: If it cannot be downloaded.
        UnsafeCheckpointError: If it holds more than tensors and plain data.
    """
    options |= dict(map_location=map_location, weights_only=True)

    def load() -> Any:
        try:
            with refused_in_our_words(filename):
                return torch.hub.load_state_dict_from_url(filename, **options)
        except URLError as error:
            raise ConnectionError(
                f'cannot download {filename} ({error.reason}); download it by hand, and give the file in its place'
            ) from error

    checkpoint = load() if get_rank() == 0 else None
    barrier()
    return load() if checkpoint is None else checkpoint


def _plain_alone(load: Callable[..., Any]) -> Callable[..., Any]:
    """Have a loader of mmengine read plain data alone, whichever way it calls ``torch.load``."""

    @functools.wraps(load)
    def loader(filename: str, map_location: Any = None, **options: Any) -> Any:
        before = {name: os.environ.get(name) for name in (FORCED, UNFORCED)}
        os.environ[FORCED] = '1'
        os.environ.pop(UNFORCED, None)
        try:
            with refused_in_our_words(filename):
                return load(filename, map_location, **options)
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value

    return loader


for _prefix, _load in list(CheckpointLoader._schemes.items()):
    if _load not in (load_local, load_address):
        CheckpointLoader.register_scheme(prefixes=_prefix, loader=_plain_alone(_load), force=True)
