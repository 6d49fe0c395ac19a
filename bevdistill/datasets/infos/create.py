"""Write nuScenes' information files."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

from mmengine.logging import print_log
from nuscenes.nuscenes import NuScenes
from nuscenes.utils import splits
from tqdm import tqdm

from ...for_people import counted
from .annotations import AnnotationRecords
from .can_bus import CanBusReader
from .files import ENDING, write_infos
from .names import CATEGORIES
from .presence import CHANNELS, Absences, FilesOnDisk
from .root import require_root
from .sensors import SensorRecords
from .tables import TablesError, broken_tables_explained, samples_of
from .validate import require_valid

SPLITS: dict[str, dict[str, list[str]]] = {
    'v1.0-trainval': {'train': splits.train, 'val': splits.val},
    'v1.0-mini': {'train': splits.mini_train, 'val': splits.mini_val},
    'v1.0-test': {'test': splits.test},
}


def create_nuscenes_infos(
    root_path: str | Path,
    version: str = 'v1.0-trainval',
    out_dir: str | Path | None = None,
    canbus_root: str | Path | None = None,
    max_sweeps: int = 10,
) -> dict[str, Path]:
    """Write ``nuscenes_infos_{train,val,test}.msgpack.gz`` for a nuScenes root, and train + val as ``trainval``.

    Each record holds what mmdet3d 1.x's converter writes plus ``TEMPORAL_FIELDS``: ``scene_token``,
    ``frame_idx`` (0 at the start of a scene), ``prev`` and ``next`` (sample tokens, '' at the ends), ``can_bus``
    (18 raw numbers, zeros without CAN bus data), ``ego2global_rotation`` (w, x, y, z) and
    ``ego2global_translation`` (metres) at the LiDAR's time.

    Note:
        Scenes follow one another by the time they start, each whole and in order, where mmdet3d keeps the order of
        the sample table: a model with memory can then be tested by walking the file. A part of a download does: what is
        not on disk (scenes, sensors, keyframes, sweeps) is left out and counted.

    Args:
        root_path: Folder with ``samples/``, ``sweeps/``, ``maps/`` and the tables under `version`.
        version: One of :data:`SPLITS`.
        out_dir: Where the files go; `root_path` when None.
        canbus_root: Folder that holds ``can_bus/``; `root_path` when None.
        max_sweeps: Largest number of earlier LiDAR sweeps per record.

    Returns:
        Split name to the file written. Each appears at once, complete.

    Raises:
        FileNotFoundError: If the root or its tables are missing.
        ValueError: If the version is unknown, none of its scenes is present, a table is damaged or contradicts itself,
            or a record is not what it should be; no file is written then.
    """
    root = Path(root_path)
    check_root(root, version)
    files = FilesOnDisk(root)
    with broken_tables_explained(root / version):
        nusc = NuScenes(version=version, dataroot=str(root), verbose=False)
        scenes = scenes_by_split(nusc, version, files)
        absences = Absences(channels_of(nusc, scenes, files))
    out = Path(out_dir) if out_dir is not None else root
    out.mkdir(parents=True, exist_ok=True)
    can_bus = CanBusReader(Path(canbus_root) if canbus_root is not None else root)
    sensors = SensorRecords(nusc, max_sweeps, files, absences)
    with broken_tables_explained(root / version):
        annotations = AnnotationRecords(nusc) if version != 'v1.0-test' else None
    collected = {}
    for split, split_scenes in scenes.items():
        with broken_tables_explained(root / version):
            collected[split] = collect_records(nusc, split, split_scenes, sensors, annotations, can_bus, absences)
    absences.report(str(root))
    ignored = sorted(annotations.ignored) if annotations is not None else []
    categories = {**{name: i for i, name in enumerate(CATEGORIES)}, **dict.fromkeys(ignored, -1)}
    metainfo = {'categories': categories, 'dataset': 'nuscenes', 'version': version, 'info_version': '1.1'}
    for records in collected.values():
        infos = {'metainfo': metainfo, 'data_list': records}
        advice = 'Unpack the metadata again, or leave the scene out'
        require_valid(infos, str(root / version), *absences.sensors(), advice=advice)
    counts = {split: len(split_scenes) for split, split_scenes in scenes.items()}
    if len(collected) > 1:
        counts[''.join(collected)] = sum(counts.values())
        collected[''.join(collected)] = merged_records(list(collected.values()))
    written = {}
    for split, records in collected.items():
        file = out / f'nuscenes_infos_{split}{ENDING}'
        written[split] = write_infos(file, {'metainfo': metainfo, 'data_list': records})
        of = counted(counts[split], 'scene')
        print_log(f'{written[split]}: {counted(len(records), "sample")} of {of}', 'current')
    report_can_bus(can_bus, scenes)
    return written


def check_root(root: Path, version: str) -> None:
    """Refuse an unknown version or a folder that is no nuScenes root."""
    if version not in SPLITS:
        raise ValueError(f'unknown version {version!r}; expected one of {", ".join(SPLITS)}')
    require_root(root)
    if not (root / version).is_dir():
        present = sorted(path.name for path in root.glob('v1.0-*') if path.is_dir())
        raise FileNotFoundError(
            f'{root} holds no tables of {version}: folder {version}/ is missing. '
            + (f'Found {", ".join(present)}; give it with --version.' if present else 'Is --root-path right?')
        )


def scenes_by_split(nusc: NuScenes, version: str, files: FilesOnDisk) -> dict[str, list[dict[str, Any]]]:
    """Collect the scenes of each split of whose first keyframe any file is on disk, by start time.

    Raises:
        TablesError: If none is.
    """
    first = {scene['token']: nusc.get('sample', scene['first_sample_token']) for scene in nusc.scene}
    present = [
        scene
        for scene in nusc.scene
        if any(filename in files for filename in keyframe_files(nusc, first[scene['token']]).values())
    ]
    present.sort(key=lambda scene: first[scene['token']]['timestamp'])
    members = {split: set(names) for split, names in SPLITS[version].items()}
    found = {split: [scene for scene in present if scene['name'] in names] for split, names in members.items()}
    used = sum(len(scenes) for scenes in found.values())
    if not used:
        raise TablesError(
            f'none of the {counted(len(nusc.scene), "scene")} in the tables is usable: '
            f'{len(present)} have files of cameras or LiDAR, and none of these is in a split of {version}'
        )
    if used < len(nusc.scene):
        print_log(f'{len(nusc.scene) - used} of {len(nusc.scene)} scenes left out: no files or no split', 'current')
    return found


def keyframe_files(nusc: NuScenes, sample: dict[str, Any]) -> dict[str, str]:
    """Return the file of each sensor of a keyframe, relative to the root."""
    return {channel: nusc.get('sample_data', sample['data'][channel])['filename'] for channel in CHANNELS}


def channels_of(nusc: NuScenes, scenes: dict[str, list[dict[str, Any]]], files: FilesOnDisk) -> list[str]:
    """Return the sensors of which any scene's first keyframe has a file."""
    firsts = [nusc.get('sample', scene['first_sample_token']) for split in scenes.values() for scene in split]
    found = [keyframe_files(nusc, sample) for sample in firsts]
    return [channel for channel in CHANNELS if any(names[channel] in files for names in found)]


def collect_records(
    nusc: NuScenes,
    split: str,
    scenes: list[dict[str, Any]],
    sensors: SensorRecords,
    annotations: AnnotationRecords | None,
    can_bus: CanBusReader,
    absences: Absences,
) -> list[dict[str, Any]]:
    """Build the records of all keyframes of `scenes` that are on disk, in order and linked to one another."""
    records: list[dict[str, Any]] = []
    with tqdm(total=sum(scene['nbr_samples'] for scene in scenes), desc=split, unit='sample') as progress:
        for scene in scenes:
            before: dict[str, Any] | None = None
            for sample in samples_of(nusc, scene):
                looked_up = sensors.look_up(sample)
                progress.update()
                if absences.lacks(sample['token'], sensors.missing(looked_up)):
                    continue
                if before is not None:
                    before['next'] = sample['token']
                record = {
                    'sample_idx': len(records),
                    'token': sample['token'],
                    'timestamp': sample['timestamp'] / 1e6,
                    **sensors.build(sample, looked_up),
                    'instances': [],
                    'scene_token': scene['token'],
                    'frame_idx': 0 if before is None else before['frame_idx'] + 1,
                    'prev': '' if before is None else before['token'],
                    'next': '',
                    'can_bus': can_bus.at(scene['name'], sample['timestamp']),
                }
                if annotations is not None:
                    record.update(annotations.build(sample, looked_up))
                if 'lidarseg' in nusc.table_names:
                    label = nusc.get('lidarseg', sample['data']['LIDAR_TOP'])['filename']
                    record['pts_semantic_mask_path'] = Path(label).name
                records.append(record)
                before = record
    return records


def merged_records(splits: Iterable[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Merge the records of several splits: scenes by start time, each in order, renumbered."""
    records = list(chain.from_iterable(splits))
    starts = {record['scene_token']: record['timestamp'] for record in records if record['frame_idx'] == 0}
    records.sort(key=lambda record: (starts[record['scene_token']], record['scene_token'], record['frame_idx']))
    return [{**record, 'sample_idx': position} for position, record in enumerate(records)]


def report_can_bus(can_bus: CanBusReader, scenes: dict[str, list[dict[str, Any]]]) -> None:
    """Log how many scenes got zeros in place of CAN bus signals."""
    total = sum(len(split_scenes) for split_scenes in scenes.values())
    if can_bus.scenes_without:
        where = 'no can_bus/ folder' if not can_bus.available else 'scenes without messages'
        print_log(
            f'can_bus is zero in {len(can_bus.scenes_without)} of {total} scenes ({where}). Geometry is not affected: '
            f'position and yaw come from the ego poses. The CAN bus expansion goes to --canbus-root.',
            'current',
        )
