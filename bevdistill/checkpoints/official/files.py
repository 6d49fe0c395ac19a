"""Convert public checkpoint files to this package's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ..find import save_checkpoint, sha256_of
from ..foreign_file import read_foreign_checkpoint
from ..identity import BOX_CONVENTION, META_KEY
from ..public_kinds import convention_unknown, likely_kind
from .conventions import CLASSES, CLASSES_OF_KIND, classes_of, range_of
from .weights import Conversion, convert_weights

STAMP = 'converted_from'
"""Entry of a converted checkpoint's identity: kind, file and SHA-256 of what it was made from."""


_CONFIGS: dict[tuple[str, object], str] = {
    # Cells of the BEV map, and whether the backbone is a ResNet-101.
    ('bevformer', (50**2, False)): 'bevformer/bevformer_tiny_24e_released',
    ('bevformer', (150**2, True)): 'bevformer/bevformer_small_24e_released',
    ('bevformer', (200**2, True)): 'bevformer/bevformer_base_24e_released',
    ('bevdistill-student', (128**2, False)): 'bevformer/bevformer-t_r50_2x_released',
    ('distiller', (128**2, False)): 'bevdistill/bevdistill-t_r50_2x_released',
    # Whether there are pillars.
    ('bevdistill-teacher', False): 'object_dgcnn/teacher_voxel01_cbgs_20e',
    ('object-dgcnn', False): 'object_dgcnn/object-dgcnn_voxel01_20e',
    ('object-dgcnn', True): 'object_dgcnn/object-dgcnn_pillar02_20e',
}


@dataclass(frozen=True)
class ConvertedFile:
    """Result of a conversion.

    Args:
        conversion: Its weights.
        notes: Lines for people: where classes and range come from, what was skipped.
        config: The config that the weights belong to, or None if it is none of the public sizes.
    """

    conversion: Conversion
    notes: list[str]
    config: str | None


def convert_file(
    source: str | Path,
    out: str | Path,
    kind: str,
    teacher_out: str | Path | None = None,
    progress: Callable[[str], None] = print,
) -> ConvertedFile:
    """Convert a public checkpoint.

    Args:
        source: File of the original authors' code (mmdet3d < 1.0).
        out: File to write. It says which classes, range and box convention it has, and what it was made from.
        kind: A key of :data:`~bevdistill.checkpoints.KINDS`.
        teacher_out: Of a distiller's file: where to write the teacher as a checkpoint of its own.
        progress: Called with a line before each long step.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it was converted already, is of another kind or cannot be converted; nothing is written.
    """
    if teacher_out is not None and kind != 'distiller':
        raise ValueError(f'only a file of kind distiller holds a teacher beside something else, not one of kind {kind}')
    source, out = Path(source).expanduser(), Path(out)
    progress(f'reading {source}')
    read = read_foreign_checkpoint(source)
    refuse_converted(source, read.meta, read.weights)
    notes = [f'not read, and not needed: {", ".join(read.left_out)}'] if read.left_out else []
    skipped = sorted(key for key in read.content if key not in ('meta', 'state_dict')) if 'meta' in read.content else []
    notes += [f'left behind: {", ".join(skipped)}'] if skipped else []
    classes, said_classes = classes_of(read.meta, kind)
    limits, said_limits = range_of(read.meta)
    notes += [f'classes: {", ".join(classes)} ({said_classes})', f'range: {list(limits)} ({said_limits})']
    if tuple(classes) != CLASSES_OF_KIND[kind]:
        notes.append(f'that is another order than {kind} models usually have')
    progress(f'converting {len(read.weights)} tensors')
    conversion = convert_weights(read.weights, kind, classes)
    digest = sha256_of(source)
    identity = {
        'classes': list(CLASSES),
        'point_cloud_range': list(limits),
        'box_convention': BOX_CONVENTION,
        STAMP: {'kind': kind, 'file': source.name, 'sha256': digest},
    }
    if teacher_out is not None:
        teacher_out = Path(teacher_out)
        progress(f'writing {teacher_out}')
        save_checkpoint({'meta': {META_KEY: identity}, 'state_dict': conversion.teacher}, teacher_out)
    if kind == 'distiller':
        held = source if teacher_out is None else teacher_out
        identity['teacher'] = {'path': str(held), 'sha256': digest if held is source else sha256_of(held)}
    progress(f'writing {out}')
    save_checkpoint({'meta': {META_KEY: identity}, 'state_dict': conversion.weights}, out)
    return ConvertedFile(conversion, notes, config_of(conversion.weights, kind))


def refuse_converted(source: Path, meta: Mapping[str, Any], weights: Mapping[str, Any]) -> None:
    """Refuse files that are in today's convention already: a second conversion would undo the first.

    Raises:
        ValueError: If the file says that it was converted, or was written by this package or mmdet3d >= 1.0.
    """
    own = meta.get(META_KEY)
    if own is not None:
        stamp = own.get(STAMP)
        made = f'was converted from {stamp["file"]}' if stamp else 'was written by this package'
        raise ValueError(f'{source} {made}: it is in {BOX_CONVENTION} convention already and can be loaded as it is')
    if likely_kind(weights) is not None and not convention_unknown(weights, meta):
        writer = f'mmdet3d {meta["mmdet3d_version"]}' if 'mmdet3d_version' in meta else 'mmengine'
        raise ValueError(
            f'{source} was written by {writer}, whose boxes are in today\'s convention; only files of mmdet3d < 1.0 '
            'need to be converted'
        )


def config_of(weights: Mapping[str, Tensor], kind: str) -> str | None:
    """Find the shipped config that reproduces the code behind public weights.

    Args:
        weights: Converted.
        kind: A key of :data:`~bevdistill.checkpoints.KINDS`.

    Returns:
        Its path in the repository, or None for weights of another size.
    """
    prefix = 'student.' if kind == 'distiller' else ''
    cells = weights.get(f'{prefix}pts_bbox_head.bev_embedding.weight')
    deep = f'{prefix}img_backbone.layer3.22.conv1.weight' in weights
    pillars = any(name.startswith('pts_voxel_encoder.pfn_layers.') for name in weights)
    name = _CONFIGS.get((kind, pillars if cells is None else (len(cells), deep)))
    return None if name is None else f'configs/{name}_nus-3d.py'
