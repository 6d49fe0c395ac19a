"""Points and images that are wrong."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
from faults.case import CACHE, CHECK, DEEP, TEST, Case, put
from faults.spoil import Change, all_of, picture
from PIL import Image


def records(split: str) -> list[dict[str, Any]]:
    content = gzip.decompress(Path(f'data/nuscenes_infos_{split}.msgpack.gz').read_bytes())
    return list(msgpack.unpackb(content, strict_map_key=False)['data_list'])


def points() -> list[Path]:
    """Points of the keyframes that are trained on."""
    return [Path('data/samples/LIDAR_TOP', record['lidar_points']['lidar_path']) for record in records('train')]


def images() -> list[Path]:
    """Images of the front camera that are tested on."""
    return [Path('data/samples/CAM_FRONT', record['images']['CAM_FRONT']['img_path']) for record in records('val')]


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

CASES = [
    *(Case('points', what, CACHE, spoil) for what, spoil in POINTS.items()),
    *(Case('points', f'{what} (check)', CHECK, POINTS[what]) for what in CHECKED_POINTS),
    Case('points', 'a NaN (deep check)', DEEP, POINTS['a NaN']),
    Case('points', 'no bytes', CACHE, partial(all_of, points, lambda c: b''),
         harmless='a sweep without an echo has no points'),
    *(Case('images', what, TEST, spoil) for what, spoil in IMAGES.items()),
    *(Case('images', f'{what} (check)', CHECK, spoil) for what, spoil in IMAGES.items()
      if what != 'random bytes behind its header'),
]  # fmt: skip
