"""Compare settings that a config has in two places, before anything is built: ranges, widths, counts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config

from ..for_people import counted
from ..structures.cameras import CAMERAS
from .overrides import read_paths

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
SIDES = ('model', 'model.student', 'model.teacher')
EQUAL = (
    ('pts_voxel_encoder.feat_channels.-1', 'pts_middle_encoder.in_channels'),
    ('pts_backbone.out_channels', 'pts_neck.in_channels'),
    ('pts_neck.num_outs', 'pts_bbox_head.num_levels'),
    ('img_neck.out_channels', 'pts_bbox_head.embed_dims'),
    ('img_neck.num_outs', 'pts_bbox_head.encoder.num_levels'),
)
"""Entries of one detector that must be the same."""

Entry = tuple[str, Any]


def check_agreement(cfg: Config) -> None:
    """Compare what a config says in two places.

    Raises:
        ValueError: With every contradiction, each with both places and values.
    """
    tree = {path: _plain(value) for path, value in read_paths(cfg.to_dict())}
    found = [*_ranges(tree), *_validation(tree), *_classes(tree)]
    for side in SIDES:
        if f'{side}.pts_bbox_head' in tree:
            found += [*_widths(tree, side), *_frames_and_cameras(tree, side), *_voxels(tree, side)]
    if found:
        raise ValueError('settings of the config contradict each other:\n  ' + ';\n  '.join(found))


def _ranges(tree: Mapping[str, Any]) -> Iterator[str]:
    """All ranges of model and data, and all sizes of voxels."""
    for name in ('point_cloud_range', 'voxel_size'):
        entries = [(path, value) for path, value in tree.items() if path.endswith(f'.{name}') and value is not None]
        values = [value for _, value in entries]
        usual: tuple[str, Any] = max(entries, key=lambda entry: values.count(entry[1]), default=('', []))
        for path, value in entries:
            count = min(len(value), len(usual[1]))
            yield from _differ((path, value), usual, value[:count] == usual[1][:count])


def _classes(tree: Mapping[str, Any]) -> Iterator[str]:
    """Names and number of the classes of data sets, distiller and heads."""
    names = [(path, tree[path]) for loader in LOADERS if (path := _data(tree, loader) + '.metainfo.classes') in tree]
    if tree.get('model.class_names'):
        names.append(('model.class_names', tree['model.class_names']))
    for entry in names[1:]:
        yield from _differ(names[0], entry, entry[1] == names[0][1])
    counts = [f'{side}.pts_bbox_head.num_classes' for side in SIDES]
    for path in counts if names else ():
        if path in tree and tree[path] != len(names[0][1]):
            yield f'{path}={tree[path]}, but {names[0][0]} has {len(names[0][1])}: {names[0][1]}'


def _validation(tree: Mapping[str, Any]) -> Iterator[str]:
    """Information files of the validation data and of their metric."""
    data, wanted = f'{_data(tree, "val_dataloader")}.ann_file', 'val_evaluator.ann_file'
    if tree.get(data) and tree.get(wanted):
        same = tree[data].rsplit('/', 1)[-1] == tree[wanted].rsplit('/', 1)[-1]
        yield from _differ((data, tree[data]), (wanted, tree[wanted]), same)


def _widths(tree: Mapping[str, Any], side: str) -> Iterator[str]:
    for one, other in EQUAL:
        first, second = _entry(tree, side, one), _entry(tree, side, other)
        if first and second:
            yield from _differ(first, second, first[1] == second[1])
    frozen = _entry(tree, side, 'img_backbone.frozen_stages')
    stages = _entry(tree, side, 'img_backbone.num_stages')
    if frozen and stages and frozen[1] > stages[1]:
        yield f'{frozen[0]}={frozen[1]}, but {stages[0]}={stages[1]}'
    neck, outputs = _entry(tree, side, 'img_neck.in_channels'), _backbone_channels(tree, side)
    if neck and outputs and neck[1] != outputs:
        yield f'{neck[0]}={neck[1]}, but the levels {side}.img_backbone.out_indices have {outputs} channels'
    levels = _entry(tree, side, 'img_neck.num_outs')
    if neck and levels and levels[1] < len(neck[1]) - tree.get(f'{side}.img_neck.start_level', 0):
        yield f'{levels[0]}={levels[1]}, but {neck[0]} has {len(neck[1])} levels'


def _backbone_channels(tree: Mapping[str, Any], side: str) -> list[int]:
    """Channels of the levels that a ResNet of mmdet or our VoVNet gives; none for other backbones."""
    backbone = tree.get(f'{side}.img_backbone') or {}
    kind, levels = str(backbone.get('type')).rsplit('.', 1)[-1], backbone.get('out_indices', (0, 1, 2, 3))
    base = backbone.get('base_channels', 64)
    if kind == 'VoVNet':
        return [4 * base * (stage + 1) for stage in levels]
    if kind != 'ResNet':
        return []
    return [base * (4 if backbone['depth'] >= 50 else 1) * 2**stage for stage in levels]


def _frames_and_cameras(tree: Mapping[str, Any], side: str) -> Iterator[str]:
    data = _data(tree, 'train_dataloader')
    frames = _entry(tree, side, 'queue_length')
    if frames and tree.get(data) is not None:
        loaded = tree.get(f'{data}.queue_length', 1)
        yield from _differ(frames, (f'{data}.queue_length', loaded), frames[1] == loaded)
    cameras = _entry(tree, side, 'pts_bbox_head.num_cams')
    for loader in LOADERS if cameras else ():
        place = f'{_data(tree, loader)}.cameras'
        count = len(tree.get(place) or CAMERAS)
        if cameras and tree.get(loader) and count != cameras[1]:
            yield f'{cameras[0]}={cameras[1]}, but {place} has {counted(count, "camera")}'


def _voxels(tree: Mapping[str, Any], side: str) -> Iterator[str]:
    """Voxels per side of the range, as the middle encoder is told, and cells of the map that comes out."""
    layer = f'{side.rpartition(".")[0] or side}.data_preprocessor.voxel_layer'
    limits, size = (tree.get(f'{layer}.{name}') for name in ('point_cloud_range', 'voxel_size'))
    shapes = (_entry(tree, side, f'pts_middle_encoder.{name}') for name in ('output_shape', 'sparse_shape'))
    shape = next(filter(None, shapes), None)
    if limits is None or size is None or shape is None:
        return
    counts = [round((limits[axis + 3] - limits[axis]) / size[axis]) for axis in (1, 0)]
    if shape[1][-2:] != counts:
        yield f'{shape[0]}={shape[1]}, but range and size of {layer} make {counts[0]} x {counts[1]} voxels'
    strides, start = _entry(tree, side, 'pts_backbone.layer_strides'), _entry(tree, side, 'pts_neck.start_level')
    rows, cols = (_entry(tree, side, f'pts_bbox_head.grid.{name}') for name in ('rows', 'cols'))
    if strides and start and rows and cols:
        step = math.prod(strides[1][: start[1] + 1]) * (8 if shape[0].endswith('sparse_shape') else 1)
        cells = [math.ceil(count / step) for count in counts]
        if cells != [rows[1], cols[1]]:
            yield f'{rows[0]}={rows[1]} and cols={cols[1]}, but its backbone gives {cells[0]} x {cells[1]} cells'


def _data(tree: Mapping[str, Any], loader: str) -> str:
    """Path of the innermost data set of a loader."""
    path = f'{loader}.dataset'
    while f'{path}.dataset' in tree:
        path += '.dataset'
    return path


def _entry(tree: Mapping[str, Any], side: str, key: str) -> Entry | None:
    """Path and value of an entry, or None where there is none; the key may end with ``.-1``, the last of a list."""
    last = key.endswith('.-1')
    path = f'{side}.{key.removesuffix(".-1")}'
    value = tree.get(path)
    if last and value:
        return f'{path}[-1]', value[-1]
    return None if value is None else (path, value)


def _differ(one: Entry, other: Entry, same: bool) -> Iterator[str]:
    if not same:
        yield f'{one[0]}={one[1]}, but {other[0]}={other[1]}'


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
