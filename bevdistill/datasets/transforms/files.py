"""Read sensor files, with errors that name file and sample."""

from __future__ import annotations

import os
import stat
from typing import Any

import mmcv
import numpy as np
from mmengine.fileio import get
from numpy.typing import NDArray

from ..contents import as_points, image_header

UNPACK = 'Unpack the archive that holds it, or write the information files again with bevdistill data create.'
BackendArgs = dict[str, Any] | None


def read_bytes(path: str, token: str, kind: str, backend_args: BackendArgs = None, advice: str = UNPACK) -> bytes:
    """Read the content of a file; `advice` says what to do where that fails.

    Raises:
        FileNotFoundError: If it cannot be read.
        ValueError: If it is a device, a pipe or a folder; reading one may never end.
    """
    try:
        if '://' not in path and not stat.S_ISREG(os.stat(path).st_mode):
            raise ValueError(
                f'sample {token}: {path}: expected a file as {kind}, found a device, a pipe or a folder. Put the file '
                f'there, or write the information files again with: bevdistill data create'
            )
        content: bytes = get(path, backend_args=backend_args)
    except OSError as error:
        raise FileNotFoundError(
            f'sample {token}: cannot read {kind} {path} ({error.strerror or error}). {advice}'
        ) from error
    return content


def read_image(path: str, token: str, color_type: str, backend_args: BackendArgs = None) -> NDArray[Any]:
    """Read an image (h, w, 3), BGR.

    Raises:
        FileNotFoundError: If it cannot be read.
        ValueError: If it is no whole image of three channels, or cannot be decoded.
    """
    content = read_bytes(path, token, 'image', backend_args)
    try:
        image_header(content)
        image: NDArray[Any] | None = mmcv.imfrombytes(content, flag=color_type)
    except ValueError as error:
        raise ValueError(f'sample {token}: {path}: {error}') from error
    if image is None:
        raise ValueError(f'sample {token}: {path} is no image that can be decoded; is the download complete?')
    return image


def read_points(
    path: str, token: str, features: int, backend_args: BackendArgs = None, advice: str = UNPACK
) -> NDArray[np.float32]:
    """Read a point file of float32 rows as a writable array (P, features); `advice` as in :func:`read_bytes`.

    Raises:
        FileNotFoundError: If it cannot be read.
        ValueError: If its size is not a multiple of a row, or its content is no points.
    """
    content = read_bytes(path, token, 'point file', backend_args, advice)
    try:
        return as_points(content, features).copy()
    except ValueError as error:
        raise ValueError(f'sample {token}: {path}: {error}. Copy it again, or write it as float32') from error
