"""Readers of data under changed records, files, messages and lines: what comes of each change."""

from __future__ import annotations

import copy
import gzip
import json
import math
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import msgpack
import numpy as np
from faults.case import put
from faults.mutations import differences, mutate, mutate_bytes

from bevdistill.datasets import SequenceNuScenesDataset, sequence_dataset
from bevdistill.datasets.infos.can_bus import check_messages
from bevdistill.datasets.infos.files import read_infos
from bevdistill.datasets.infos.own import import_own_data
from bevdistill.datasets.infos.validate import require_valid

NOTHING = 'changes nothing that is read'
NUMBER = 'another number within the limits of its field'
NAME = 'another name that could be'
PART = 'a box, sweep, sample or message more or less, or another order of boxes'
OPTIONAL = 'an optional field that is absent, a number that may be unknown'
TAKEN = 'taken'
PARTS = {'instances', 'lidar_sweeps', 'data_list', 'boxes'}
MAY_LACK = {
    'cam2ego', 'timestamp', 'sample_data_token', 'num_radar_pts', 'ego2global', 'lidar2ego', 'lidar_sweeps', 'category',
    'cam_instances', 'sample_idx', 'bbox_label', 'num_pts_feats', 'velocity', 'track', 'num_points', 'boxes', 'lidar',
    'cameras', 'categories', 'version', 'dataset', 'info_version', 'points2lidar',
}  # fmt: skip
NUMBERED = ('token', 'scene', 'track', 'category')
"""Names of one's own data that may be whole numbers."""


def rule_of(path: tuple[Any, ...], old: Any, new: Any) -> str:
    """Name the rule by which a change is harmless, or TAKEN."""
    name = next((part for part in reversed(path) if isinstance(part, str)), '')
    if isinstance(old, bool):
        return NUMBER if type(old) is type(new) else TAKEN
    if isinstance(old, int | float) and isinstance(new, int | float):
        return NUMBER if math.isfinite(new) else OPTIONAL if name == 'velocity' else TAKEN
    if isinstance(old, str) and (isinstance(new, str) or (type(new) is int and name in NUMBERED)):
        return NAME
    if isinstance(old, list) and isinstance(new, list | tuple) and (name in PARTS or not path):
        return PART
    if isinstance(old, dict) and isinstance(new, dict):
        lost = {str(key) for key in old.keys() - new.keys()}
        both = [differences(old[key], new[key], (*path, key)) for key in old.keys() & new.keys()]
        alone = name == 'cameras' and not new  # LiDAR alone.
        optional = lost <= MAY_LACK or 'categories' in path or alone
        return worst([OPTIONAL if optional else TAKEN, *(rule_of(*change) for found in both for change in found)])
    if new is None or old is None:
        return OPTIONAL if name in MAY_LACK else TAKEN
    return TAKEN


AT: list[str] = []
"""Where the last change was that no rule allows."""


def worst(rules: list[str]) -> str:
    """Return TAKEN if any is, else the first."""
    return TAKEN if TAKEN in rules else rules[0] if rules else NOTHING


def ruled(old: Any, new: Any) -> str:
    """Return the rule of all differences of two trees."""
    found = list(differences(plain(old), plain(new)))
    rule = worst([rule_of(*change) for change in found])
    if rule == TAKEN:
        AT[:] = [
            f'{path}: lacks {before.keys() - after.keys()}' if isinstance(before, dict) and isinstance(after, dict)
            else f'{path}: {str(before)[:50]} -> {str(after)[:50]}' for path, before, after in found[:2]
        ]  # fmt: skip
    return rule


def plain(value: Any) -> Any:
    """Nested lists of what a data set gives."""
    if hasattr(value, 'tensor'):
        value = value.tensor
    if hasattr(value, 'tolist'):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list | tuple) else value


class Records:
    """Records of an information file, read by the data set."""

    def __init__(self) -> None:
        infos = read_infos('data/nuscenes_infos_train.msgpack.gz')
        infos['data_list'] = infos['data_list'][:2]
        for record in infos['data_list']:
            record['instances'], record['lidar_sweeps'] = record['instances'][:4], record['lidar_sweeps'][:2]
            record.pop('cam_instances')  # Nothing reads them, and they are most of a record.
        self.packed = msgpack.packb(infos)
        self.classes = [name for name, label in infos['metainfo']['categories'].items() if label >= 0]
        self.dataset = SequenceNuScenesDataset(
            'data', 'nuscenes_infos_train.msgpack.gz', metainfo=dict(classes=self.classes), lazy_init=True
        )
        self.good = self.tree()
        self.items = self.read(self.tree())

    def tree(self) -> Any:
        return msgpack.unpackb(self.packed, strict_map_key=False)

    def read(self, infos: Any) -> Any:
        """Have a new data set read them."""
        dataset = copy.copy(self.dataset)
        dataset._metainfo, dataset.data_prefix = dict(dataset._metainfo), dict(dataset.data_prefix)
        dataset.box_count, dataset._seen_categories = copy.deepcopy(dataset.box_count), set()
        sequence_dataset.read_infos = lambda path: infos  # type: ignore[assignment]
        parsed = dataset.load_data_list()
        for item in parsed:
            item.pop('sample_idx', None)  # The data set numbers its items itself,
            for sweep in item.get('lidar_sweeps', []):
                sweep.pop('sample_data_token', None)  # and nothing reads the tokens of sensor data.
        return plain([parsed, dataset._file_labels])

    def changed(self, draw: Random) -> Any:
        infos = self.tree()
        if draw.random() < 0.03:
            infos['metainfo'] = mutate(infos['metainfo'], draw)
        else:
            place = draw.randrange(len(infos['data_list']))
            infos['data_list'][place] = mutate(infos['data_list'][place], draw)
        return infos

    def __call__(self, draw: Random) -> str:
        state, infos = draw.getstate(), self.changed(draw)
        if not isinstance(infos['metainfo'], dict) or not all(isinstance(r, dict) for r in infos['data_list']):
            raise ValueError('no dict')  # What read_infos refuses.
        items = self.read(infos)
        if next(differences(self.items, items), None) is None:
            return NOTHING
        draw.setstate(state)
        return ruled(self.good, self.changed(draw))


class InfoBytes:
    """Information files of three forms, of which bytes are changed."""

    def __init__(self) -> None:
        self.records = Records()
        tree = self.records.tree()
        arrays = self.records.tree()
        for record in arrays['data_list']:
            record['ego2global'] = np.array(record['ego2global'], dtype=np.float32)
            record['timestamp'] = np.float64(record['timestamp'])
        self.forms = (
            gzip.compress(self.records.packed, 1, mtime=0), json.dumps(tree).encode(),
            *(pickle.dumps(arrays, protocol=protocol) for protocol in (0, 2, 4)),
        )  # fmt: skip
        self.file = Path('changed.pkl')
        self.trees = []
        for form in self.forms:
            put(self.file, form)
            self.trees.append(plain(read_infos(self.file)))

    def __call__(self, draw: Random) -> str:
        kind = draw.randrange(len(self.forms))
        put(self.file, mutate_bytes(self.forms[kind], draw))
        infos = read_infos(self.file)
        require_valid(infos, str(self.file))
        return ruled(self.trees[kind], plain(infos))


class OwnLines:
    """Samples in the layout of one's own data."""

    def __init__(self) -> None:
        self.good = [json.loads(line) for line in Path('own/train.jsonl').read_text().splitlines()]

    def __call__(self, draw: Random) -> str:
        samples = copy.deepcopy(self.good)
        place = draw.randrange(len(samples))
        if draw.random() < 0.1:
            text = '\n'.join(map(json.dumps, samples)).encode()
            put(Path('own/changed.jsonl'), mutate_bytes(text, draw))
        else:
            samples[place] = mutate(samples[place], draw)
            put(Path('own/changed.jsonl'), '\n'.join(json.dumps(s, default=repr) for s in samples).encode())
        import_own_data('own', ['changed.jsonl'], 'out')
        read = [json.loads(line) for line in Path('own/changed.jsonl').read_bytes().splitlines() if line.strip()]
        return ruled(self.good, read)


class Messages:
    """Pose messages of a CAN bus."""

    def __init__(self) -> None:
        file = min(Path('data/can_bus').glob('scene-*_pose.json'))
        self.good = json.loads(file.read_text())[:6]

    def __call__(self, draw: Random) -> str:
        messages = mutate(copy.deepcopy(self.good), draw)
        check_messages(messages, 'pose.json')
        read = [{key: m[key] for key in ('utime', *SIGNALS)} for m in messages]
        return ruled([{key: m[key] for key in ('utime', *SIGNALS)} for m in self.good], read)


SIGNALS = ('pos', 'orientation', 'accel', 'rotation_rate', 'vel')


def sections() -> Iterator[tuple[str, type, int]]:
    """Yield what is changed, by which class, and the share of all changes, of 1,000."""
    yield 'records of information files', Records, 500
    yield 'bytes of information files', InfoBytes, 80
    yield "samples of one's own data", OwnLines, 40
    yield 'messages of the CAN bus', Messages, 100
