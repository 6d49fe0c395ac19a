"""Write information files of one's own data from the neutral layout."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from ...for_people import counted
from .files import ENDING, write_infos
from .layout_points import check_points
from .neutral import Boxes, fill_velocities, read_samples, record_of
from .validate import require_valid

DATASET = 'own'
"""What the files say their data are; paths in them are relative to the data root."""

Pairs = list[tuple[dict[str, Any], Boxes]]


def import_own_data(root: str | Path, files: Sequence[str], out_dir: str | Path | None = None) -> list[Path]:
    """Write ``own_infos_<name>.msgpack.gz`` for each ``<name>.jsonl`` of a folder in the neutral layout.

    All files get one list of categories, so that labels mean the same in training and validation.

    Args:
        root: Folder that holds the files and what they name; the ``data_root`` of configs.
        files: Names of the files of samples, relative to `root` or below it; all ``*.jsonl`` of `root` when empty.
        out_dir: Where the information files go; `root` when None.

    Returns:
        The files written.

    Raises:
        FileNotFoundError: If the folder, a file of samples or a file that one names is missing.
        ValueError: If a field is missing or wrong, a file is empty, or a token occurs twice.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f'no folder {root}')
    sources = [_below(root, name) for name in files] or sorted(root.glob('*.jsonl'))
    if not sources:
        os.listdir(root)  # An error, where it may not be read.
        raise FileNotFoundError(f'{root} holds no *.jsonl; docs/own_data.md describes the layout')
    out = root if out_dir is None else Path(out_dir)
    out.mkdir(parents=True, exist_ok=True)
    read = {source: read_file(source, root) for source in sources}
    seen = Counter(name for pairs in read.values() for _, boxes in pairs for name in boxes.categories)
    labels = {name: label for label, name in enumerate(sorted(seen))}
    metainfo = {'categories': labels, 'dataset': DATASET, 'version': DATASET, 'info_version': '1.1'}
    infos: dict[Path, dict[str, Any]] = {
        source: {'metainfo': metainfo, 'data_list': in_scenes(pairs, labels)} for source, pairs in read.items()
    }
    for source, content in infos.items():
        cameras = all(record['images'] for record in content['data_list'])
        lidar = all('lidar_path' in record['lidar_points'] for record in content['data_list'])
        require_valid(content, str(source), cameras, lidar, advice='Correct the sample, or leave it out')
    written = []
    for source, pairs in read.items():
        written.append(out / f'own_infos_{source.stem}{ENDING}')
        write_infos(written[-1], infos[source])
        scenes = counted(len({record['scene_token'] for record, _ in pairs}), 'scene')
        names = ', '.join(dict.fromkeys(name for record, _ in pairs for name in record['images']))
        samples = counted(len(pairs), 'sample')
        print_log(f'{written[-1]}: {samples} of {scenes}; cameras {names or "none"}', 'current')
    boxes = ', '.join(f'{name} {count}' for name, count in seen.most_common())
    print_log(f'boxes by category: {boxes or "none"}. Name those to detect in the config: metainfo.classes', 'current')
    return written


def _below(root: Path, name: str) -> Path:
    """Find a file of samples by its name in the root, or by a path that leads there."""
    path = Path(name)
    inside = not (root / path).exists() and path.is_file() and path.resolve().is_relative_to(root.resolve())
    return path if inside else root / path


def read_file(source: Path, root: Path) -> Pairs:
    """Read all samples of a file of the layout.

    Raises:
        ValueError: If it holds none, or a token twice.
    """
    pairs: Pairs = []
    tokens: dict[str, str] = {}
    for where, sample in read_samples(source):
        record, boxes = record_of(sample, where, root), Boxes(sample, where)
        if not pairs:
            check_points(record, where, root)
        token = record['token']
        if token in tokens:
            raise ValueError(f"{where}: token '{token}' is that of {tokens[token]} too; each sample needs its own")
        tokens[token] = where
        pairs.append((record, boxes))
    if not pairs:
        raise ValueError(f'{source} holds no sample')
    return pairs


def in_scenes(pairs: Pairs, labels: dict[str, int]) -> list[dict[str, Any]]:
    """Complete records: scenes by the time they start, each in order of time, linked and with boxes."""
    scenes: dict[str, Pairs] = {}
    for pair in sorted(pairs, key=lambda pair: float(pair[0]['timestamp'])):
        scenes.setdefault(pair[0]['scene_token'], []).append(pair)
    records: list[dict[str, Any]] = []
    for scene in scenes.values():
        fill_velocities(scene)
        tokens = ['', *(record['token'] for record, _ in scene), '']
        for frame, (record, boxes) in enumerate(scene):
            record.update(
                sample_idx=len(records),
                frame_idx=frame,
                prev=tokens[frame],
                next=tokens[frame + 2],
                instances=boxes.instances(np.asarray(record['lidar_points']['lidar2ego']), labels),
            )
            records.append(record)
    return records
