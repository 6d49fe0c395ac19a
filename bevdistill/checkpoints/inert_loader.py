"""Have mmengine's loader read checkpoints as plain data, whatever torch's default is.

torch reads plain data alone from 2.6 on, unless ``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD`` is set; otherwise loading
a file runs what is in it. The loaders of local files and of addresses that mmengine's runner uses are replaced through
its own registry of schemes when this module is imported.

Note:
    Schemes that name a fixed host's weights (``torchvision://``, ``open-mmlab://``) keep mmengine's loaders.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmengine.dist import barrier, get_rank
from mmengine.runner import CheckpointLoader

from .damage import check_whole


@CheckpointLoader.register_scheme(prefixes='', force=True)
def load_local(filename: str, map_location: Any = None) -> Any:
    """Read a local checkpoint as plain data.

    Args:
        filename: The file.
        map_location: As of ``torch.load``.

    Raises:
        FileNotFoundError: If there is no such file.
        DamagedCheckpointError: If it is not what was written.
        pickle.UnpicklingError: If it holds more than tensors and plain data.
    """
    path = Path(filename).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'no checkpoint {path}')
    check_whole(path)
    return torch.load(path, map_location=map_location, weights_only=True)


@CheckpointLoader.register_scheme(prefixes=('http://', 'https://'), force=True)
def load_address(filename: str, map_location: Any = None, **options: Any) -> Any:
    """Download a checkpoint, the first process before the others, and read it as plain data.

    Args:
        filename: Its address.
        map_location: As of ``torch.load``.
        **options: Of ``torch.hub.load_state_dict_from_url``.

    Raises:
        pickle.UnpicklingError: If it holds more than tensors and plain data.
    """

    def load() -> Any:
        return torch.hub.load_state_dict_from_url(filename, map_location=map_location, weights_only=True, **options)

    checkpoint = load() if get_rank() == 0 else None
    barrier()
    return load() if checkpoint is None else checkpoint
