"""Recognise public checkpoints in older box and class conventions, and advise on their conversion."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .foreign_file import read_foreign_checkpoint
from .identity import META_KEY

CONVERTER = 'tools/model_converters/convert_official.py'

KINDS = {
    'bevformer': 'BEVFormer, or the undistilled student of BEVDistill',
    'bevdistill-student': 'the student of BEVDistill with its heatmap, names without a prefix',
    'bevdistill-teacher': 'the LiDAR teacher of BEVDistill',
    'object-dgcnn': 'Object-DGCNN with graph attention',
    'distiller': 'a training run of BEVDistill: student, teacher and contrastive head in one file',
}
"""Kinds of public checkpoints that the converter knows."""

_BOX_HEAD = re.compile(r'(^|\.)\w*bbox_head\.')
_GRAPH_ATTENTION = re.compile(r'pts_bbox_head\.transformer\.decoder\.layers\.\d+\.attentions\.0\.conv1\.')


def without_wrapper(name: str) -> str:
    """Drop the prefix of a wrapper for distributed training from the name of a weight."""
    return name.removeprefix('module.')


def likely_kind(names: Iterable[str]) -> str | None:
    """Recognise the kind of a public checkpoint by the names of its weights.

    Returns:
        A key of :data:`KINDS`, or None for weights of something else.
    """
    bare = {without_wrapper(name) for name in names}
    if {name.split('.')[0] for name in bare} & {'student', 'teacher', 'cl_head'}:
        return 'distiller'
    if 'pts_bbox_head.bev_embedding.weight' in bare:
        heatmap = any(name.startswith('pts_bbox_head.shared_conv.') for name in bare)
        return 'bevdistill-student' if heatmap else 'bevformer'
    if {'pts_bbox_head.query_embedding.weight', 'pts_bbox_head.transformer.reference_points.weight'} <= bare:
        camera = any(name.startswith('img_') for name in bare)
        graph = any(_GRAPH_ATTENTION.match(name) for name in bare)
        return None if camera else 'object-dgcnn' if graph else 'bevdistill-teacher'
    return None


def convention_unknown(names: Iterable[str], meta: Mapping[str, Any]) -> bool:
    """Tell whether weights predict boxes or classes in a convention that their file does not state.

    Backbones have no convention. A file that mmengine wrote comes from mmdet3d 1.x, whose boxes are today's.

    Args:
        names: Weights that would be loaded.
        meta: Meta data of their file.
    """
    if META_KEY in meta or 'mmengine_version' in meta or _is_new(meta.get('mmdet3d_version')):
        return False
    return any(_BOX_HEAD.search(name) for name in names)


def conversion_advice(path: str | Path, names: Iterable[str]) -> str:
    """Explain an unknown convention, with the command that converts the checkpoint."""
    kind = likely_kind(names)
    file = Path(path)
    out = file.with_name(f'{file.stem}_converted.pth')
    command = shlex.join(['python', CONVERTER, str(path), str(out), '--kind', kind or 'KIND'])
    choice = '' if kind else f'\nwhere KIND is one of {", ".join(KINDS)}'
    return (
        'it does not say which classes, range and box convention it was trained with. Files of mmdet3d < 1.0, as the '
        'public ones are, hold sizes as width, length, height and a yaw that grows clockwise, and their classes may '
        'have another order: loaded as they are, boxes and labels would be wrong without any error. Convert it once '
        f'with\n  {command}{choice}'
    )


def unreadable_advice(path: str | Path) -> str:
    """Advise on a checkpoint with Python objects, which is refused because loading them could run code."""
    try:
        read = read_foreign_checkpoint(path)
    except (OSError, ValueError) as error:
        return f'it cannot be read without running it: {error}'
    if convention_unknown(read.weights, read.meta):
        return conversion_advice(path, read.weights)
    return f'it holds {", ".join(read.left_out)}. Save its weights alone: a dict of tensors with the key state_dict'


def _is_new(version: object) -> bool:
    match = re.match(r'\d+', str(version))
    return match is not None and int(match[0]) >= 1
