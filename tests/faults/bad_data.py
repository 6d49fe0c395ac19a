"""Data that are wrong: points, images, CAN bus, tables, information files, own data, calibrations of `predict`."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
from faults.case import CACHE, CHECK, CREATE, DEEP, IMPORT, PREDICT, TEST, TRAIN, Case, put
from PIL import Image

INFOS = Path('data/nuscenes_infos_train.msgpack.gz')
Change = Callable[[Any], Any]


def records(split: str) -> list[dict[str, Any]]:
    content = gzip.decompress(Path(f'data/nuscenes_infos_{split}.msgpack.gz').read_bytes())
    return list(msgpack.unpackb(content, strict_map_key=False)['data_list'])


def points() -> list[Path]:
    """Points of the keyframes that are trained on."""
    return [Path('data/samples/LIDAR_TOP', record['lidar_points']['lidar_path']) for record in records('train')]


def images() -> list[Path]:
    """Images of the front camera that are tested on."""
    return [Path('data/samples/CAM_FRONT', record['images']['CAM_FRONT']['img_path']) for record in records('val')]


def all_of(files: Callable[[], list[Path]], change: Change) -> None:
    """Replace the content of files by what `change` makes of it."""
    for file in files():
        put(file, change(file.read_bytes()))


def as_floats(change: Change) -> Change:
    def of(content: bytes) -> bytes:
        changed: Any = change(np.frombuffer(content, np.float32).reshape(-1, 5).copy())
        return bytes(changed.tobytes())

    return of


def at(values: np.ndarray, value: float) -> np.ndarray:
    values[len(values) // 2, 1] = value
    return values


def other_kind(files: Callable[[], list[Path]], make: Callable[[Path], Any]) -> None:
    """Put something that is no plain file in the place of the first."""
    file = files()[0]
    file.unlink()
    make(file)


POINTS: dict[str, Callable[[], Any]] = {
    'cut within a point': partial(all_of, points, lambda c: c[:-7]),
    'text': partial(all_of, points, lambda c: b'1.0 2.0 3.0 0.5 1\n' * 100),
    'float64': partial(all_of, points, as_floats(lambda p: p.astype(np.float64))),
    'float16': partial(all_of, points, as_floats(lambda p: p.astype(np.float16))),
    'int32': partial(all_of, points, as_floats(lambda p: (p * 1000).astype(np.int32))),
    '4 numbers a point': partial(all_of, points, as_floats(lambda p: p[: len(p) // 5 * 5 - 1, :4])),
    'a NaN': partial(all_of, points, as_floats(lambda p: at(p, np.nan))),
    'an infinity': partial(all_of, points, as_floats(lambda p: at(p, np.inf))),
    '1e30 m': partial(all_of, points, as_floats(lambda p: at(p, 1e30))),
    'big endian': partial(all_of, points, as_floats(lambda p: p.astype('>f4'))),
    'a PCD header': partial(all_of, points, lambda c: b'# .PCD v0.7\nVERSION 0.7\nFIELDS x y z\n' + c),
    'gzip': partial(all_of, points, gzip.compress),
    'missing': lambda: points()[0].unlink(),
    'a folder': partial(other_kind, points, os.mkdir),
    'an endless device': partial(other_kind, points, lambda f: f.symlink_to('/dev/zero')),
    'a pipe': partial(other_kind, points, os.mkfifo),
    'a link to itself': partial(other_kind, points, lambda f: f.symlink_to(f.name)),
}
CHECKED_POINTS = ('cut within a point', 'missing', 'a folder', 'an endless device', 'a pipe')


def picture(change: Callable[[Image.Image], Image.Image], **options: Any) -> Change:
    """Make a change of the decoded picture."""

    def of(content: bytes) -> bytes:
        image, buffer = Image.open(io.BytesIO(content)), io.BytesIO()
        change(image).save(buffer, format=options.get('format', image.format))
        return buffer.getvalue()

    return of


IMAGES: dict[str, Callable[[], Any]] = {
    'empty': partial(all_of, images, lambda c: b''),
    'cut in half': partial(all_of, images, lambda c: c[: len(c) // 2]),
    'zeros': partial(all_of, images, lambda c: bytes(len(c))),
    'a web page': partial(all_of, images, lambda c: b'<!DOCTYPE html><html>Sign in</html>'),
    'a pointer of large-file storage': partial(
        all_of, images, lambda c: b'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 10\n'
    ),
    'grey': partial(all_of, images, picture(lambda i: i.convert('L'))),
    'four channels': partial(all_of, images, picture(lambda i: i.convert('RGBA'), format='PNG')),
    'CMYK': partial(all_of, images, picture(lambda i: i.convert('CMYK'), format='JPEG')),
    '16 bit': partial(all_of, images, picture(lambda i: Image.new('I;16', i.size), format='PNG')),
    'a tenth of the size': partial(all_of, images, picture(lambda i: i.resize((i.width // 10, i.height // 10)))),
    'one of another size': lambda: put(
        images()[0], picture(lambda i: i.resize((i.width * 2, i.height * 2)))(images()[0].read_bytes())
    ),
    'on its side': partial(all_of, images, picture(lambda i: i.transpose(Image.Transpose.ROTATE_90))),
    'random bytes behind its header': partial(all_of, images, lambda c: c[:200] + os.urandom(len(c) - 200)),
    'missing': lambda: images()[0].unlink(),
    'a folder': partial(other_kind, images, os.mkdir),
    'a pipe': partial(other_kind, images, os.mkfifo),
}


def in_json(file: str, change: Change) -> None:
    """Change the content of a JSON file; a change that returns something replaces the whole."""
    path = Path(file)
    tree = json.loads(path.read_text())
    put(path, json.dumps(replaced(change(tree), tree)).encode())


def replaced(found: Any, tree: Any) -> Any:
    """Return what a change has made of a tree: what it returns if that is a tree, else the tree itself."""
    return found if isinstance(found, dict | list) else tree


def in_messages(change: Change) -> None:
    for file in Path('data/can_bus').glob('scene-*_pose.json'):
        in_json(str(file), change)


def raw(file: str, content: bytes) -> None:
    for path in Path().glob(file):
        put(path, content)


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


def in_lines(file: str, change: Change) -> Callable[[], Any]:
    """Change every line of a file of JSON lines."""

    def spoil() -> None:
        lines = [json.loads(line) for line in Path(file).read_text().splitlines()]
        put(Path(file), ''.join(f'{json.dumps(replaced(change(line), line))}\n' for line in lines).encode())

    return spoil


def layout(file: str, camera: str) -> dict[str, Callable[[], Any]]:
    """Mistakes in the layout of one's own data, which `predict` reads too."""
    lines = partial(in_lines, file)
    return {
        'empty': partial(raw, file, b''),
        'no JSON': partial(raw, file, b'{"token": "a",\n'),
        'bytes that are no text': partial(raw, file, b'\xff\xfe\x00{\n'),
        'one array': partial(raw, file, b'[1, 2]\n'),
        'no token': lines(lambda s: s.pop('token') and None),
        'no pose': lines(lambda s: s.pop('ego2global') and None),
        'a pose of 3 x 4': lines(lambda s: s['ego2global'].pop() and None),
        'a pose that grows': lines(lambda s: s['ego2global'][0].__setitem__(0, 2.0)),
        'a NaN in a pose': lines(lambda s: s['ego2global'][0].__setitem__(3, float('nan'))),
        'a pose at 1e30 m': lines(lambda s: s['ego2global'][0].__setitem__(3, 1e30)),
        'a pose of text': lines(lambda s: s.update(ego2global='here')),
        'time as text': lines(lambda s: s.update(timestamp='soon')),
        'cameras as a list': lines(lambda s: s.update(cameras=[s['cameras']])),
        'a camera that is text': lines(lambda s: s['cameras'].update({camera: 'front.png'})),
        'no intrinsics': lines(lambda s: s['cameras'][camera].pop('intrinsics') and None),
        'a focal length below 0': lines(lambda s: s['cameras'][camera]['intrinsics'][0].__setitem__(0, -40.0)),
        'intrinsics of zeros': lines(lambda s: s['cameras'][camera].update(intrinsics=[[0, 0, 0]] * 3)),
        'a camera 1 km away': lines(lambda s: s['cameras'][camera]['sensor2ego'][0].__setitem__(3, 1000.0)),
        'an image that is not there': lines(lambda s: s['cameras'][camera].update(image='absent.png')),
        'an image that leads out': lines(lambda s: s['cameras'][camera].update(image='../../etc/passwd')),
        'an image that is a number': lines(lambda s: s['cameras'][camera].update(image=7)),
    }  # fmt: skip


OWN: dict[str, Callable[[], Any]] = layout('own/train.jsonl', 'front') | {
    'tokens alike': in_lines('own/train.jsonl', lambda s: s.update(token='one')),
    'times alike': in_lines('own/train.jsonl', lambda s: s.update(timestamp=1.0)),
    'token with a slash': in_lines('own/train.jsonl', lambda s: s.update(token='a/../' + s['token'])),
    'boxes as an object': in_lines('own/train.jsonl', lambda s: s.update(boxes={'a': 1})),
    'a box of size 0': in_lines('own/train.jsonl', lambda s: s['boxes'][0].update(size=[0, 1, 1])),
    'a box of 10 km': in_lines('own/train.jsonl', lambda s: s['boxes'][0].update(size=[1e4, 1, 1])),
    'a yaw of text': in_lines('own/train.jsonl', lambda s: s['boxes'][0].update(yaw='left')),
    'a category of 7': in_lines('own/train.jsonl', lambda s: s['boxes'][0].update(category=['a'])),
    'a track that is a list': in_lines('own/train.jsonl', lambda s: s['boxes'][0].update(track=['a'])),
    'points of a box as text': in_lines('own/train.jsonl', lambda s: s['boxes'][0].update(num_points='many')),
    'points below 0': in_lines('own/train.jsonl', lambda s: s['boxes'][0].update(num_points=-5)),
    'lidar that is text': in_lines('own/train.jsonl', lambda s: s.update(lidar='points.bin')),
    'no sensor': in_lines('own/train.jsonl', lambda s: s.pop('lidar') and s.update(cameras={})),
    'no file of samples': lambda: Path('own/train.jsonl').unlink(),
}
DRIVE = layout('drive/drive.jsonl', 'CAM_FRONT') | {
    'a camera missing': in_lines('drive/drive.jsonl', lambda s: s['cameras'].pop('CAM_FRONT') and None),
    'a broken image': lambda: raw('drive/0CAM_FRONT.png', b'\x89PNG no image'),
    'images of two sizes': lambda: put(
        Path('drive/0CAM_FRONT.png'),
        picture(lambda i: i.resize((i.width * 2, i.height * 2)))(Path('drive/0CAM_FRONT.png').read_bytes()),
    ),
}

CASES = [
    *(Case('points', what, CACHE, spoil) for what, spoil in POINTS.items()),
    *(Case('points', f'{what} (check)', CHECK, POINTS[what]) for what in CHECKED_POINTS),
    Case('points', 'a NaN (deep check)', DEEP, POINTS['a NaN']),
    Case('points', 'no bytes', CACHE, partial(all_of, points, lambda c: b''),
         harmless='a sweep without an echo has no points'),
    *(Case('images', what, TEST, spoil) for what, spoil in IMAGES.items()),
    *(Case('images', f'{what} (check)', CHECK, spoil) for what, spoil in IMAGES.items()
      if what != 'random bytes behind its header'),
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
    *(Case("one's own data", what, IMPORT, spoil) for what, spoil in OWN.items()),
    *(Case('calibration of predict', what, PREDICT, spoil) for what, spoil in DRIVE.items()),
]  # fmt: skip
