"""Convert the weights of a public checkpoint, one by one, to this package's names and conventions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from ...for_people import shortened
from ..public_kinds import KINDS, likely_kind, without_wrapper
from .conventions import CLASSES, to_new_boxes, to_own_classes

Action = Literal['kept', 'renamed', 'permuted', 'dropped']

HEAD = r'pts_bbox_head\.'
_BRANCHES = HEAD + r'(cls|reg)_branches\.\d+\.\d+\.(weight|bias)'
_LAYERS = r'layers\.\d+\.(attentions|ffns|norms)\.\d+\..+'
_HEAD = (_BRANCHES, HEAD + r'query_embedding\.weight', HEAD + r'transformer\.reference_points\.(weight|bias)')
_DECODER, _ENCODER = HEAD + r'transformer\.decoder\.' + _LAYERS, HEAD + r'transformer\.encoder\.' + _LAYERS
_HEATMAP = (HEAD + r'shared_conv\.(conv|bn)\..+', HEAD + r'task_heads\.0\.heatmap\..+')
_CAMERA = (
    r'img_backbone\..+',
    r'img_neck\..+',
    HEAD + r'bev_embedding\.weight',
    HEAD + r'positional_encoding\.(row|col)_embed\.weight',
    HEAD + r'transformer\.level_embeds',
    HEAD + r'transformer\.cams_embeds',
    HEAD + r'transformer\.can_bus_mlp\.(0|2|norm)\.(weight|bias)',
    HEAD + r'code_weights',
)
_LIDAR = (
    r'pts_backbone\..+',
    r'pts_neck\..+',
    HEAD + r'transformer\.level_embeds',
    r'pts_middle_encoder\..+',
    r'pts_voxel_encoder\..+',
)
# Absent where a middle encoder only scatters, and where a voxel encoder only averages.
_OPTIONAL = _LIDAR[-2:]

PARTS = {
    'bevformer': (*_CAMERA, *_HEAD, _ENCODER, _DECODER),
    'bevdistill-student': (*_CAMERA, *_HEAD, _ENCODER, _DECODER, *_HEATMAP),
    'bevdistill-teacher': (*_LIDAR, *_HEAD, _ENCODER, _DECODER, *_HEATMAP),
    'object-dgcnn': (*_LIDAR, *_HEAD, _ENCODER, _DECODER),
}
"""Patterns of the names in each kind of file; each must be met, and no other name may be there."""

STUDENT, TEACHER, CONTRAST = 'student.', 'teacher.', 'cl_head.'
CRITICS = {
    r'cl_head\.img_projs\.0\.0\.': 'losses.contrast.student_critic.projections.0.',
    r'cl_head\.encoder_img\.': 'losses.contrast.student_critic.mlp.',
    r'cl_head\.pts_projs\.0\.0\.': 'losses.contrast.teacher_critic.projections.0.',
    r'cl_head\.encoder_pts\.': 'losses.contrast.teacher_critic.mlp.',
}
"""Names of the contrastive head, and what they are called here; the loss has the name ``contrast`` in the configs."""

_BRANCH = re.compile(r'(.*pts_bbox_head\.)(cls|reg)(_branches\.\d+\.)(\d+)\.(?:weight|bias)')
_CODE_WEIGHTS = re.compile(r'.*pts_bbox_head\.code_weights')
_HEATMAP_CLASSES = re.compile(r'(.*pts_bbox_head\.task_heads\.0\.heatmap\.)(\d+)\.(?:weight|bias)')
_SPARSE = re.compile(r'.*pts_middle_encoder\..*weight')


@dataclass(frozen=True)
class Entry:
    """What became of one tensor.

    Args:
        source: Its name in the file.
        target: Its name here, or None if dropped.
        action: What was done.
        reason: Why.
    """

    source: str
    target: str | None
    action: Action
    reason: str = ''


@dataclass
class Conversion:
    """Converted weights.

    Args:
        weights: From name to tensor, for the output.
        teacher: Of a distiller's file, the teacher's weights under its own names; otherwise empty.
        entries: What became of each tensor of the file.
    """

    weights: dict[str, Tensor] = field(default_factory=dict)
    teacher: dict[str, Tensor] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)


def convert_weights(weights: Mapping[str, Tensor], kind: str, classes: Sequence[str]) -> Conversion:
    """Convert weights to this package's names, box convention, class order and kernel layout.

    Box convention: slots of the last layer of each ``reg_branches``, and ``code_weights``. Classes: rows of the last
    layer of each ``cls_branches`` and of the heatmap. Sparse kernels are stored as (kz, ky, kx, in, out), which mmcv's
    operators use, and which mmdet3d turns while loading where spconv 2.x has taken their place; the version mark by
    which mmdet3d tells a kernel that is turned already is not kept.

    Args:
        weights: From name to tensor.
        kind: A key of :data:`~bevdistill.checkpoints.KINDS`.
        classes: Class order of the file.

    Raises:
        ValueError: If the weights are those of another kind, a part is missing, a weight is left over, or a shape does
            not fit; names all of them.
    """
    bare = {without_wrapper(name): name for name in weights}
    check_kind(bare, kind)
    last = _last_layers(bare)
    result = Conversion()
    faults: list[str] = []
    for name, source in bare.items():
        value = weights[source]
        if not isinstance(value, Tensor):
            faults.append(f'{source} is no tensor')
            continue
        try:
            value, reasons = _converted(name, value, last, classes)
        except ValueError as error:
            faults.append(f'{source}: {error}')
            continue
        _place(result, kind, source, name, value, reasons)
    if faults:
        raise ValueError('these weights cannot be converted:\n  ' + '\n  '.join(faults))
    return result


def check_kind(names: Iterable[str], kind: str) -> None:
    """Check that a file is of the kind that its user names.

    Args:
        names: Names of its weights, without a wrapper's prefix.
        kind: A key of :data:`~bevdistill.checkpoints.KINDS`.

    Raises:
        ValueError: If it is something else (names what it looks like), a part is missing, or a weight is left over.
    """
    names = list(names)
    likely = likely_kind(names)
    if likely != kind:
        tops = ', '.join(sorted({name.split('.')[0] for name in names})[:8]) or 'no weights'
        looks = f'one of kind {likely} ({KINDS[likely]}). Give --kind {likely}' if likely else 'none of the known kinds'
        raise ValueError(f'the file is not of kind {kind}. It has {tops}, and looks like {looks}')
    groups = {'': kind}
    if kind == 'distiller':
        groups = {STUDENT: 'bevdistill-student', TEACHER: 'bevdistill-teacher'}
    known: list[str] = [pattern + '.+' for pattern in CRITICS] if kind == 'distiller' else []
    missing = [] if all(any(re.match(p, n) for n in names) for p in CRITICS) or not known else [f'{CONTRAST}*']
    for prefix, part in groups.items():
        patterns = {re.escape(prefix) + pattern: pattern for pattern in PARTS[part]}
        known += patterns
        missing += [
            prefix + _readable(pattern)
            for full, pattern in patterns.items()
            if pattern not in _OPTIONAL and not any(re.fullmatch(full, name) for name in names)
        ]
    matches = re.compile('|'.join(f'(?:{pattern})' for pattern in known)).fullmatch
    left = [name for name in names if not matches(name)]
    if missing or left:
        raise ValueError(
            f'the file looks like one of kind {kind}, but is not as the public ones are:\n'
            f'  {len(missing)} parts missing: {", ".join(missing) or "-"}\n'
            f'  {len(left)} weights left over: {shortened(left, 8) or "-"}'
        )


def _converted(
    name: str, value: Tensor, last: Mapping[str, int], classes: Sequence[str]
) -> tuple[Tensor, list[str]]:
    """Convert a tensor to this package's conventions; return it and what was done to it."""
    if _CODE_WEIGHTS.fullmatch(name):
        return to_new_boxes(value, signed=False), ['boxes']
    if match := _BRANCH.fullmatch(name):
        if int(match[4]) != last[match[1] + match[2] + match[3]]:
            return value, []
        return (to_new_boxes(value), ['boxes']) if match[2] == 'reg' else _classes(value, classes)
    if (match := _HEATMAP_CLASSES.fullmatch(name)) and int(match[2]) == last[match[1]]:
        return _classes(value, classes)
    if _SPARSE.fullmatch(name) and value.dim() == 5 and _is_spconv2(value):
        return value.permute(1, 2, 3, 4, 0).contiguous(), ['sparse kernels']
    return value, []


def _classes(value: Tensor, classes: Sequence[str]) -> tuple[Tensor, list[str]]:
    return to_own_classes(value, classes), [] if tuple(classes) == CLASSES else ['classes']


def _place(result: Conversion, kind: str, source: str, name: str, value: Tensor, reasons: list[str]) -> None:
    """Add a converted tensor to the student's or the teacher's weights."""
    if kind == 'distiller' and name.startswith(TEACHER):
        result.teacher[name.removeprefix(TEACHER)] = value
        result.entries.append(Entry(source, None, 'dropped', "a distiller's checkpoint holds no teacher"))
        return
    target = name
    for pattern, ours in CRITICS.items():
        target = re.sub(pattern, ours, target) if kind == 'distiller' else target
    result.weights[target] = value
    if reasons:
        result.entries.append(Entry(source, target, 'permuted', ', '.join(reasons)))
    elif target != source:
        contrast = name.startswith(CONTRAST)
        result.entries.append(Entry(source, target, 'renamed', 'contrastive head' if contrast else 'module.'))
    else:
        result.entries.append(Entry(source, target, 'kept'))


def _last_layers(names: Iterable[str]) -> dict[str, int]:
    """Find the number of the last layer, which predicts, of each branch and heatmap."""
    last: dict[str, int] = {}
    for name in names:
        if match := _BRANCH.fullmatch(name):
            key, layer = match[1] + match[2] + match[3], int(match[4])
        elif match := _HEATMAP_CLASSES.fullmatch(name):
            key, layer = match[1], int(match[2])
        else:
            continue
        last[key] = max(last.get(key, layer), layer)
    return last


def _is_spconv2(kernel: Tensor) -> bool:
    """Tell whether a kernel is (out, kz, ky, kx, in): sizes are at most 3, channels at least 4."""
    return max(kernel.shape[1:4]) <= 3 < kernel.shape[0]


def _readable(pattern: str) -> str:
    return re.sub(r'\\d\+', 'N', pattern).replace('\\.', '.').replace('.+', '.*')
