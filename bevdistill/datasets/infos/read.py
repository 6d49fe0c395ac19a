"""Read information files, and name what else a file may be, with the command that helps."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from typing import Any

from mmengine.fileio import load

POINTERS = (b'version https://git-lfs', b'/annex/objects/', b'../.git/annex/')
ARCHIVES = {b'PK\x03\x04': 'a zip archive', b'\x1f\x8b': 'a gzip archive', b'BZh': 'a bzip2 archive'}
CREATE = 'bevdistill data create nuscenes --root-path {root} --version {version}'
CONVERT = 'bevdistill data convert {file} OUT.pkl'


def read_infos(path: str, root: str | None = None) -> dict[str, Any]:
    """Read an information file in mmdet3d's layout (``metainfo`` and ``data_list``).

    Args:
        path: The file; also an address that mmengine's file clients read.
        root: The data root, for the command in messages.

    Raises:
        FileNotFoundError: If it is missing.
        ValueError: If it is something else, or cut off; says what and what to do.
    """
    create = CREATE.format(root=root or 'ROOT', version='VERSION')
    content = read_content(path, create)
    if not isinstance(content, dict) or not {'data_list', 'metainfo'} <= set(content):
        raise ValueError(f'{path} {layout_of(content)}; {advice(content, path, create)}')
    return content


def read_content(path: str, create: str) -> Any:
    """Read what a file of any layout holds.

    Args:
        path: The file.
        create: The command that writes one, for messages.

    Raises:
        FileNotFoundError: If it is missing.
        ValueError: If it is no file of records, or cut off; says what and what to do.
    """
    if '://' not in path:
        if not os.path.isfile(path):
            raise FileNotFoundError(f'no information file {path}; write it with: {create}')
        with open(path, 'rb') as file:
            problem = no_pickle(file.read(64))
        if problem:
            raise ValueError(f'{path} {problem}')
    try:
        return load(path)
    except (pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError, KeyError) as error:
        size = f' of {os.path.getsize(path)} bytes' if os.path.isfile(path) else ''
        raise ValueError(
            f'{path}{size} cannot be read ({error}): it is cut off or no information file. Copy it again, or write it '
            f'with: {create}'
        ) from error


def no_pickle(head: bytes) -> str | None:
    """Tell what a file is by its first bytes, where that is no information file; None where it may be one."""
    if not head:
        return 'is empty: the copy or the disk failed. Copy it again'
    if head.startswith(POINTERS):
        return 'is a pointer of large-file storage, not the file itself: fetch it (git lfs pull, or git annex get)'
    if head.lstrip()[:1] == b'<':
        return 'is a web page, saved in place of the file: download it again, signed in'
    kind = next((kind for start, kind in ARCHIVES.items() if head.startswith(start)), None)
    return None if kind is None else f'is {kind}: unpack it, or download the file itself'


def layout_of(content: Any) -> str:
    """Name the layout of what a file holds."""
    if isinstance(content, list):
        return f'holds a list of {len(content)} records, the layout of mmdetection3d before 0.6 or of another project'
    if not isinstance(content, Mapping):
        return f'holds a {type(content).__name__}, no information records'
    infos = content.get('infos')
    if infos is None:
        return f'has the keys {sorted(map(str, content))[:6]} and neither data_list nor infos'
    first = infos[0] if infos else {}
    if 'ann_infos' in first:
        return "has BEVDet's layout (infos with ann_infos)"
    if 'can_bus' in first:
        return "has BEVFormer's layout (infos with can_bus)"
    return 'has the layout of mmdetection3d before 1.1 (infos and metadata)'


def advice(content: Any, path: str, create: str) -> str:
    """Return the command that makes an information file of what was found."""
    infos = content.get('infos') if isinstance(content, Mapping) else None
    if infos and 'scene_token' in infos[0]:
        return f'convert it with: {CONVERT.format(file=path)}'
    lacks = ', which lacks the scene of each frame' if infos else ''
    return f'information files are needed in the layout of mmdetection3d 1.1{lacks}; write one with: {create}'
