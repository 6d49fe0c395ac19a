"""Check the files that information records name: that they are there, whole, and of the size that the records say."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from ..contents import TAIL, as_points, check_row_length, image_header
from .names import DEFAULT_PREFIX
from .validate import Fault, sample_of

HEAD = 1 << 14
"""Bytes that hold the header of most images."""
BATCH = 64
"""Files that a thread takes at once."""


class SensorFile(NamedTuple):
    """A file that a record names.

    Args:
        path: Where it is.
        sample: Token of the first sample that names it.
        field: Field of the record.
        camera: Name of the camera, '' for points.
        features: Numbers per point.
        centre: Of the camera, pixels.
    """

    path: str
    sample: str
    field: str
    camera: str = ''
    features: int = 0
    centre: tuple[float, float] = (0.0, 0.0)


class Looked(NamedTuple):
    """What was found of a file: the kind of fault, in words what is there and what should be, and an image's size."""

    kind: str = ''
    found: str = ''
    expected: str = ''
    size: tuple[int, int] | None = None


def files_of(infos: Mapping[str, Any], root: str) -> dict[str, SensorFile]:
    """Collect the files that records name, each once, by path; the records have to be without faults.

    Args:
        infos: ``metainfo`` and ``data_list``.
        root: Data root. The files of nuScenes are in its folders, those of other data sets relative to the root.
    """
    nuscenes = infos['metainfo'].get('dataset', 'nuscenes') == 'nuscenes'
    folders = DEFAULT_PREFIX if nuscenes else {}
    files: dict[str, SensorFile] = {}

    def add(folder: str, name: str, *facts: Any) -> None:
        path = os.path.join(root, folders.get(folder, ''), name)
        if path not in files:
            files[path] = SensorFile(path, *facts)

    for position, record in enumerate(infos['data_list']):
        sample, points = sample_of(record, position), record['lidar_points']
        for camera, image in (record.get('images') or {}).items():
            centre = float(image['cam2img'][0][2]), float(image['cam2img'][1][2])
            add(camera, image['img_path'], sample, f'images.{camera}.img_path', camera, 0, centre)
        if 'lidar_path' not in points:
            continue
        add('pts', points['lidar_path'], sample, 'lidar_points.lidar_path', '', points['num_pts_feats'])
        for k, sweep in enumerate(record.get('lidar_sweeps') or []):
            path = sweep['lidar_points']['lidar_path']
            folder, field = 'pts' if 'samples' in path else 'sweeps', f'lidar_sweeps.{k}.lidar_points.lidar_path'
            add(folder, path.split('/')[-1], sample, field, '', points['num_pts_feats'])
    return files


def look_at(file: SensorFile, deep: bool = False) -> Looked:
    """Look at one file: kind and size, header and end of images; with `deep` at every point and pixel."""
    try:
        state = os.stat(file.path)
        if not stat.S_ISREG(state.st_mode):
            return Looked('no file', 'a device, a pipe or a folder', 'a file')
        if not state.st_size:
            return Looked('empty file', 'no content', 'an image' if file.camera else 'points')
        return _image(file, state.st_size, deep) if file.camera else _points(file, state.st_size, deep)
    except FileNotFoundError:
        return Looked('missing file', 'none', f'a file {file.path}')
    except OSError as error:
        return Looked('unreadable file', str(error.strerror or error), f'a readable file {file.path}')
    except ValueError as error:
        expected, _, found = str(error).partition(', found ')
        return Looked('broken image' if file.camera else 'broken points', found, expected.removeprefix('expected '))


def _points(file: SensorFile, size: int, deep: bool) -> Looked:
    row = 4 * file.features
    if size % row:
        return Looked('size of points', f'{size} bytes', f'a multiple of {row} ({file.features} float32 per point)')
    if deep:
        with open(file.path, 'rb') as stream:
            content = stream.read()
        as_points(content, file.features)
        check_row_length(content, file.features)
    return Looked()


def _image(file: SensorFile, size: int, deep: bool) -> Looked:
    with open(file.path, 'rb') as stream:
        content = stream.read(size if deep else HEAD)
        if size > HEAD and not deep:
            stream.seek(max(HEAD, size - TAIL))
            end = stream.read()
            try:
                header = image_header(content + end)
            except ValueError:
                stream.seek(0)
                content = stream.read()
                header = image_header(content)
        else:
            header = image_header(content)
    if deep:
        import mmcv

        if mmcv.imfrombytes(content) is None:
            return Looked('broken image', f'{size} bytes that cannot be decoded', 'an image')
    across, down = file.centre
    if not (0 < across < header.width and 0 < down < header.height):
        found = f'{header.width} x {header.height} pixels'
        return Looked('size of image', found, f'an image around the camera centre ({across:.0f}, {down:.0f})')
    return Looked(size=(header.width, header.height))


def disk_faults(files: Sequence[SensorFile], workers: int, deep: bool = False) -> Iterator[list[Fault]]:
    """Look at files in parallel; yields the faults of each batch as it is done, of other sizes of a camera at the end.

    Args:
        files: The files.
        workers: Threads: what takes time is the disk, or the network to it.
        deep: Read and decode everything.
    """
    sizes: dict[str, list[tuple[tuple[int, int], SensorFile]]] = {}
    batches = [files[first : first + BATCH] for first in range(0, len(files), BATCH)]
    with ThreadPoolExecutor(workers) as pool:
        for batch, looks in zip(batches, pool.map(lambda part: [look_at(f, deep) for f in part], batches), strict=True):
            faults = []
            for file, look in zip(batch, looks, strict=True):
                if look.kind:
                    faults.append(_fault(file, look))
                elif look.size is not None:
                    sizes.setdefault(file.camera, []).append((look.size, file))
            yield faults
    yield list(_odd_sizes(sizes.values()))


def _odd_sizes(cameras: Iterable[list[tuple[tuple[int, int], SensorFile]]]) -> Iterator[Fault]:
    """Images of a camera have one size."""
    for images in cameras:
        usual = Counter(size for size, _ in images).most_common(1)[0][0]
        for size, file in images:
            if size != usual:
                expected = f'{usual[0]} x {usual[1]} pixels as most of {file.camera}'
                yield _fault(file, Looked('size of image', f'{size[0]} x {size[1]} pixels', expected))


def _fault(file: SensorFile, look: Looked) -> Fault:
    return Fault(look.kind, file.sample, f'{file.field} ({file.path})', look.found, look.expected)
