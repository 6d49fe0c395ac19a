"""Name what a file may be that is no information file, with what helps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...file_kind import pointer_or_page

ARCHIVES = {b'PK\x03\x04': 'a zip archive', b'BZh': 'a bzip2 archive'}
CONVERT = 'bevdistill data convert {file} OUT.msgpack.gz'


def other_kind(head: bytes) -> str | None:
    """Tell what a file is by its first bytes, where that is no information file; None where it may be one."""
    kind = next((kind for start, kind in ARCHIVES.items() if head.startswith(start)), None)
    return pointer_or_page(head) if kind is None else f'is {kind}: unpack it, or download the file itself'


def layout_of(content: Any) -> str:
    """Name the layout of what a file holds, where it is not that of information files."""
    if not isinstance(content, Mapping) or not isinstance(content.get('infos'), list):
        return 'has no records of another project'
    first = content['infos'][0] if content['infos'] else {}
    if 'ann_infos' in first:
        return "has BEVDet's layout (infos with ann_infos)"
    if 'can_bus' in first:
        return "has BEVFormer's layout (infos with can_bus)"
    return 'has the layout of mmdetection3d below 1.1 (infos and metadata)'


def conversion(content: Any, path: str) -> str | None:
    """Return the command that makes an information file of one of another project, None where none can."""
    infos = content.get('infos') if isinstance(content, Mapping) else None
    return CONVERT.format(file=path) if infos and 'scene_token' in infos[0] else None
