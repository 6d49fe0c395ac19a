"""Check that a checkpoint is there; imports no torch, for mistakes that are said before it is loaded."""

from __future__ import annotations

import re
from pathlib import Path


def existing_checkpoint(path: str) -> str:
    """Check the path of a checkpoint early, before data and model are built.

    Args:
        path: A local file, or an address such as ``https://...`` that mmengine's loader knows.

    Returns:
        The path, made absolute if local.

    Raises:
        FileNotFoundError: If there is no such file; names what lies beside it.
    """
    if re.match(r'^[\w-]+:(//|s3)', path):
        return path
    file = Path(path).expanduser().absolute()
    if file.is_file():
        return str(file)
    if file.is_dir():
        inside = ', '.join(sorted(other.name for other in file.glob('*.pth'))) or 'none'
        raise FileNotFoundError(f'{file} is a folder; expected a checkpoint, in the folder are: {inside}')
    if not file.parent.is_dir():
        raise FileNotFoundError(f'no checkpoint {file}; the folder {file.parent} does not exist')
    beside = sorted(other.name for other in file.parent.glob('*.pth'))
    raise FileNotFoundError(f'no checkpoint {file}; checkpoints in that folder: {", ".join(beside) or "none"}')
