"""Read sensor files, with errors that name file and sample."""

from __future__ import annotations

from typing import Any

import mmcv
import numpy as np
from mmengine.fileio import get
from numpy.typing import NDArray

BackendArgs = dict[str, Any] | None

UNPACK = 'Unpack the archive that holds it, or write the information files again with bevdistill data create.'


def read_bytes(path: str, token: str, kind: str, backend_args: BackendArgs = None, advice: str = UNPACK) -> bytes:
    """Read the content of a file; `advice` says what to do where that fails.

    Raises:
        FileNotFoundError: If it cannot be read.
    """
    try:
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
        ValueError: If it cannot be decoded.
    """
    image: NDArray[Any] | None = mmcv.imfrombytes(read_bytes(path, token, 'image', backend_args), flag=color_type)
    if image is None:
        raise ValueError(f'sample {token}: {path} is no image that can be decoded; is the download complete?')
    return image


def read_points(
    path: str, token: str, features: int, backend_args: BackendArgs = None, advice: str = UNPACK
) -> NDArray[np.float32]:
    """Read a point file of float32 rows as a writable array (P, features); `advice` as in :func:`read_bytes`.

    Raises:
        FileNotFoundError: If it cannot be read.
        ValueError: If its size is not a multiple of a row.
    """
    content = read_bytes(path, token, 'point file', backend_args, advice)
    row = 4 * features
    if len(content) % row:
        raise ValueError(
            f'sample {token}: {path} holds {len(content)} bytes, not a multiple of {row} ({features} float32 per '
            f'point); the file is truncated or of another layout. Copy it again.'
        )
    return np.frombuffer(content, dtype=np.float32).reshape(-1, features).copy()
