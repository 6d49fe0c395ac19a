"""Write scenes of the DGP format (TRI-ML/dgp) in the neutral layout: an example of an importer of one's own data."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

EXAMPLES = """
examples:
  # two drives: points go to data/dgp, images stay where they are
  python -m docs.experiments.dgp_layout SCENES data/dgp --train scene_01 --val scene_02
  bevdistill data import data/dgp
"""


def transform(pose: dict[str, Any]) -> NDArray[np.float64]:
    """Build the (4, 4) matrix of a DGP pose."""
    turn, shift = pose['rotation'], pose['translation']
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_quat([turn['qx'], turn['qy'], turn['qz'], turn['qw']]).as_matrix()
    matrix[:3, 3] = [shift['x'], shift['y'], shift['z']]
    return matrix


def read(folder: Path, pattern: str) -> Any:
    """Read the one JSON file of a folder that fits a pattern."""
    return json.loads(next(folder.glob(pattern)).read_text())


def boxes_of(file: Path, names: dict[int, str], lidar2ego: NDArray[np.float64]) -> Iterator[dict[str, Any]]:
    """Yield the boxes of a LiDAR annotation, moved to the ego frame."""
    for entry in json.loads(file.read_text())['annotations']:
        box = lidar2ego @ transform(entry['box']['pose'])
        yield {
            'category': names[entry['class_id']],
            'centre': box[:3, 3].tolist(),
            'size': [entry['box'][side] for side in ('length', 'width', 'height')],
            'yaw': float(np.arctan2(box[1, 0], box[0, 0])),
            'track': str(entry['instance_id']),
            'num_points': entry['num_points'],
        }


def write_points(source: Path, target: Path) -> None:
    """Write x, y, z, intensity of a point file, and a ring of 0, as float32 rows."""
    points = np.load(source)['data']
    target.parent.mkdir(parents=True, exist_ok=True)
    np.hstack((points, np.zeros((len(points), 1)))).astype(np.float32).tofile(target)


def link(folder: Path, place: Path) -> None:
    """Let a folder be found below the data root, without copying it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.is_symlink():
        place.symlink_to(folder.absolute())


def samples_of(folder: Path, out: Path) -> Iterator[dict[str, Any]]:
    """Yield the samples of a scene and write their points."""
    link(folder, out / 'images' / folder.name)
    scene = read(folder, 'scene_*.json')
    names = {item['id']: item['name'] for item in read(folder, 'ontology/*.json')['items']}
    data = {datum['key']: datum for datum in scene['data']}
    for sample in scene['samples']:
        calibration = json.loads((folder / 'calibration' / f'{sample["calibration_key"]}.json').read_text())
        mounts = dict(zip(calibration['names'], map(transform, calibration['extrinsics']), strict=True))
        lenses = dict(zip(calibration['names'], calibration['intrinsics'], strict=True))
        members = {data[key]['id']['name']: data[key]['datum'] for key in sample['datum_keys']}
        cloud = members.pop('LIDAR')['point_cloud']
        cameras = {}
        for name, datum in members.items():
            lens, pose = lenses[name], transform(datum['image']['pose'])
            cameras[name] = {
                'image': f'images/{folder.name}/{datum["image"]["filename"]}',
                'intrinsics': [[lens['fx'], lens['skew'], lens['cx']], [0, lens['fy'], lens['cy']], [0, 0, 1]],
                'sensor2ego': mounts[name].tolist(),
                # The pose of DGP is the sensor's when it measured; the ego's at that time follows from the mount.
                'ego2global': (pose @ np.linalg.inv(mounts[name])).tolist(),
            }
        points = f'points/{folder.name}/{Path(cloud["filename"]).stem}.bin'
        write_points(folder / cloud['filename'], out / points)
        time = datetime.fromisoformat(sample['id']['timestamp'].replace('Z', '+00:00')).timestamp()
        yield {
            'token': sample['datum_keys'][0],
            'scene': folder.name,
            'timestamp': time,
            'ego2global': (transform(cloud['pose']) @ np.linalg.inv(mounts['LIDAR'])).tolist(),
            'cameras': cameras,
            'lidar': {'points': points, 'sensor2ego': mounts['LIDAR'].tolist()},
            'boxes': list(boxes_of(folder / cloud['annotations']['1'], names, mounts['LIDAR'])),
        }


def main(argv: list[str] | None = None) -> None:
    """Write ``train.jsonl``, ``val.jsonl`` and the points."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('scenes', type=Path, help='folder with folders of scenes')
    parser.add_argument('out', type=Path, help='folder to write')
    parser.add_argument('--train', nargs='+', required=True, metavar='SCENE', help='scenes to train on')
    parser.add_argument('--val', nargs='+', required=True, metavar='SCENE', help='scenes to validate on')
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    for split in ('train', 'val'):
        samples = (sample for name in getattr(args, split) for sample in samples_of(args.scenes / name, args.out))
        (args.out / f'{split}.jsonl').write_text(''.join(f'{json.dumps(sample)}\n' for sample in samples))


if __name__ == '__main__':
    main()
