"""One's own data, and calibrations of `predict`, that are wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from faults.case import IMPORT, PREDICT, Case, put
from faults.spoil import Change, picture, raw, replaced


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
    '2 numbers per point': in_lines('own/train.jsonl', lambda s: s['lidar'].update(num_features=2)),
    '7 numbers per point': in_lines('own/train.jsonl', lambda s: s['lidar'].update(num_features=7)),
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
    *(Case("one's own data", what, IMPORT, spoil) for what, spoil in OWN.items()),
    *(Case('calibration of predict', what, PREDICT, spoil) for what, spoil in DRIVE.items()),
]  # fmt: skip
