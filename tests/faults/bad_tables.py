"""CAN bus, tables of nuScenes and information files that are wrong."""

from __future__ import annotations

import gzip
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgpack
from faults.case import CHECK, CREATE, TRAIN, Case, put
from faults.spoil import Change, all_of, in_json, raw, replaced

INFOS = Path('data/nuscenes_infos_train.msgpack.gz')


def in_messages(change: Change) -> None:
    for file in Path('data/can_bus').glob('scene-*_pose.json'):
        in_json(str(file), change)


CAN_BUS: dict[str, Callable[[], Any]] = {
    'cut': lambda: all_of(lambda: list(Path('data/can_bus').glob('*_pose.json')), lambda c: c[: len(c) // 2]),
    'empty': partial(raw, 'data/can_bus/*_pose.json', b''),
    'no JSON': partial(raw, 'data/can_bus/*_pose.json', b'\x80\x04hello'),
    'an object': partial(in_messages, lambda m: {'messages': m}),
    'a number among messages': partial(in_messages, lambda m: m.insert(1, 3)),
    'time as text': partial(in_messages, lambda m: m[1].update(utime='soon')),
    'time back': partial(in_messages, lambda m: m[-1].update(utime=1)),
    'position of two': partial(in_messages, lambda m: m[0]['pos'].pop()),
    'position as text': partial(in_messages, lambda m: m[0].update(pos='here')),
    'a NaN': partial(in_messages, lambda m: m[0]['vel'].__setitem__(0, float('nan'))),
    'no orientation': partial(in_messages, lambda m: m[0].pop('orientation')),
    'speed of 1e300': partial(in_messages, lambda m: m[0]['vel'].__setitem__(0, 1e300)),
}


def in_table(name: str, change: Change) -> Callable[[], Any]:
    return partial(in_json, f'data/v1.0-mini/{name}.json', change)


def in_rows(name: str, change: Change) -> Callable[[], Any]:
    """Change every row of a table."""

    def of(table: list[Any]) -> None:
        for row in table:
            change(row)

    return in_table(name, of)


TABLES: dict[str, Callable[[], Any]] = {
    'missing': lambda: Path('data/v1.0-mini/ego_pose.json').unlink(),
    'cut': lambda: all_of(lambda: [Path('data/v1.0-mini/sample_data.json')], lambda c: c[: len(c) // 2]),
    'empty': partial(raw, 'data/v1.0-mini/sample.json', b''),
    'an object': in_table('scene', lambda t: {'scenes': t}),
    'a row that is a number': in_table('sample', lambda t: t.append(3)),
    'a row without token': in_table('sample', lambda t: t[0].pop('token')),
    'a sample of no scene': in_table('sample', lambda t: t[0].update(scene_token='nowhere')),
    'next is itself': in_table('sample', lambda t: t[0].update(next=t[0]['token'])),
    'next is none': in_table('sample', lambda t: t[0].update(next='nowhere')),
    'first sample is none': in_table('scene', lambda t: t[0].update(first_sample_token='nowhere')),
    'pose that is none': in_rows('sample_data', lambda row: row.update(ego_pose_token='nowhere')),
    'rotation of three': in_rows('ego_pose', lambda row: row['rotation'].pop()),
    'rotation of zeros': in_rows('ego_pose', lambda row: row.update(rotation=[0, 0, 0, 0])),
    'translation as text': in_rows('ego_pose', lambda row: row.update(translation='x')),
    'intrinsic of 2 x 3': in_rows(
        'calibrated_sensor', lambda row: row['camera_intrinsic'][2:] and row['camera_intrinsic'].pop()
    ),
    'size of a box below 0': in_rows('sample_annotation', lambda row: row.update(size=[-1, 1, 1])),
    'rotation of a box NaN': in_rows('sample_annotation', lambda row: row.update(rotation=[float('nan')] * 4)),
    'instance that is none': in_rows('sample_annotation', lambda row: row.update(instance_token='x')),
    'category that is none': in_rows('instance', lambda row: row.update(category_token='x')),
    'file name that leads out': in_rows('sample_data', lambda row: row.update(filename='../../etc/passwd')),
    'time as text': in_rows('sample', lambda row: row.update(timestamp='now')),
    'no samples': in_table('sample', lambda t: []),
}  # fmt: skip


def in_infos(change: Change) -> Callable[[], Any]:
    """Change an information file."""

    def spoil() -> None:
        tree = msgpack.unpackb(gzip.decompress(INFOS.read_bytes()), strict_map_key=False)
        tree = replaced(change(tree), tree)
        put(INFOS, gzip.compress(msgpack.packb(tree)))

    return spoil


def every(change: Change) -> Callable[[], Any]:
    def of(tree: Any) -> None:
        for record in tree['data_list']:
            change(record)

    return in_infos(of)


class Canary:
    """Would make a file if it were unpickled as objects are."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path('run-by-a-pickle'),)


def bomb() -> bytes:
    return gzip.compress(bytes(300 << 20), 1)


INFO_FILES: dict[str, Callable[[], Any]] = {
    'missing': INFOS.unlink,
    'empty': partial(raw, str(INFOS), b''),
    'cut': lambda: put(INFOS, INFOS.read_bytes()[:-100]),
    'a flipped bit': lambda: put(INFOS, INFOS.read_bytes()[:500] + b'\xff\xff' + INFOS.read_bytes()[502:]),
    '300 MiB of zeros, packed': lambda: put(INFOS, bomb()),
    'a pickle that would run': lambda: put(INFOS, pickle.dumps({'metainfo': {}, 'data_list': [Canary()]})),
    'a zip archive': partial(raw, str(INFOS), b'PK\x03\x04' + bytes(100)),
    'a web page': partial(raw, str(INFOS), b'<html>Sign in</html>'),
    'nested 100,000 deep': lambda: put(INFOS, b'[' * 100_000),
    'a list': in_infos(lambda t: [1, 2]),
    'no records': in_infos(lambda t: t.update(data_list=[])),
    'no metainfo': in_infos(lambda t: t.pop('metainfo') and None),
    'a record that is text': in_infos(lambda t: t['data_list'].append('x')),
    'categories as a list': in_infos(lambda t: t['metainfo'].update(categories=['car'])),
    'no temporal fields': every(lambda r: r.pop('can_bus') and r.pop('frame_idx')),
    'images as a list': every(lambda r: r.update(images=[1])),
    'no images': every(lambda r: r.update(images={})),
    'tokens alike': every(lambda r: r.update(token='one')),
    'token that leads out': every(lambda r: r.update(token='../../../out')),
    'image path of the machine': every(lambda r: r['images']['CAM_FRONT'].update(img_path='/etc/passwd')),
    'image path that leads out': every(lambda r: r['images']['CAM_FRONT'].update(img_path='../../x.jpg')),
    'points of 0 numbers': every(lambda r: r['lidar_points'].update(num_pts_feats=0)),
    'times that go back': in_infos(lambda t: t['data_list'].reverse()),
    'boxes of six numbers': every(lambda r: [i['bbox_3d'].pop() for i in r['instances']]),
    'boxes of size 0': every(lambda r: [i['bbox_3d'].__setitem__(3, 0.0) for i in r['instances']]),
    'labels that are none': every(lambda r: [i.update(bbox_label_3d=99) for i in r['instances']]),
    'NaN in a pose': every(lambda r: r['ego2global'][0].__setitem__(3, float('nan'))),
    'a camera that mirrors': every(lambda r: r['images']['CAM_FRONT']['lidar2cam'][0].__setitem__(0, 2.0)),
    'a focal length of 0': every(lambda r: r['images']['CAM_FRONT']['cam2img'][0].__setitem__(0, 0.0)),
    'a quaternion of zeros': every(lambda r: r.update(ego2global_rotation=[0, 0, 0, 0])),
    "the layout of mmdetection3d 0.x": in_infos(lambda t: {'infos': [], 'metadata': {'version': 'v1.0-mini'}}),
    'a time of 1e300': every(lambda r: r.update(timestamp=1e300)),
}  # fmt: skip

CASES = [
    *(Case('CAN bus', what, CREATE, spoil) for what, spoil in CAN_BUS.items()),
    Case('CAN bus', 'orientation of zeros', CREATE,
         partial(in_messages, lambda m: m[0].update(orientation=[0, 0, 0, 0])),
         harmless='position, orientation and yaw of a record come from the ego pose'),
    *(Case('tables of nuScenes', what, CREATE, spoil) for what, spoil in TABLES.items()),
    *(Case('information file', what, TRAIN, spoil) for what, spoil in INFO_FILES.items()
      if 'points of' not in what),  # Points that cameras alone do not need.
    *(Case('information file', f'{what} (check)', CHECK, spoil) for what, spoil in INFO_FILES.items()
      if what not in ('missing', 'no temporal fields', 'no images')),
    Case('information file', 'no images (check)', CHECK, INFO_FILES['no images'],
         harmless='records of LiDAR alone; a training with cameras refuses them'),
]  # fmt: skip
