"""Write what py123d reads (Argoverse 2, Waymo, nuPlan, PandaSet, KITTI-360, nuScenes, ...) in the neutral layout.

Runs in an environment with py123d, which need not be the one of bevdistill: nothing of it is imported.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PARSERS = {
    'av2': ('av2.av2_sensor_parser', 'Av2SensorParser'),
    'kitti360': ('kitti360.kitti360_parser', 'Kitti360Parser'),
    'nuplan': ('nuplan.nuplan_parser', 'NuplanParser'),
    'nuscenes': ('nuscenes.nuscenes_parser', 'NuScenesParser'),
    'pandaset': ('pandaset.pandaset_parser', 'PandasetParser'),
    'physical-ai-av': ('physical_ai_av.physical_ai_av_parser', 'PhysicalAIAVParser'),
    'waymo': ('wod.wod_perception_parser', 'WODPerceptionParser'),
}
EXAMPLES = """
--options are arguments of the data set's parser class in py123d, as JSON or plain words. bevdistill data import writes
information files from the result.

examples:
  python docs/experiments/py123d_layout.py nuscenes data/bridge --name train \\
      --options 'splits=["nuscenes_train"]' nuscenes_data_root=data/nuscenes
  bevdistill data import data/bridge
"""

Array = NDArray[np.float64]


def boxes_of(detections: Any, ego2global: Array) -> Iterator[dict[str, Any]]:
    """Yield boxes in the ego frame; py123d has them and their velocities in global axes."""
    to_ego = np.linalg.inv(ego2global)
    for detection in detections:
        box = detection.bounding_box_se3
        pose = to_ego @ box.center_se3.transformation_matrix
        velocity = detection.velocity_3d
        yield {
            'category': detection.attributes.label.name.lower(),
            'centre': pose[:3, 3].tolist(),
            'size': [box.length, box.width, box.height],
            'yaw': float(np.arctan2(pose[1, 0], pose[0, 0])),
            'velocity': None if velocity is None else (to_ego[:2, :3] @ [velocity.x, velocity.y, velocity.z]).tolist(),
            'track': detection.attributes.track_token,
            'num_points': detection.attributes.num_lidar_points,
        }


def camera_of(camera: Any, out: Path, name: str) -> dict[str, Any]:
    """Describe a pinhole camera; images that the data set keeps inside other files are written beside."""
    lens = camera.metadata.intrinsics
    if camera.has_file_path:
        source = out / 'source'
        if not source.is_symlink():
            source.symlink_to(Path(camera._dataset_root).absolute())
        image = source / camera.relative_path
    else:
        image = out / 'images' / f'{name}.jpg'
        image.parent.mkdir(parents=True, exist_ok=True)
        image.write_bytes(camera._byte_string)
    mount = camera.metadata.camera_to_imu_se3.transformation_matrix
    described = {
        'image': str(image.relative_to(out)),
        'intrinsics': [[lens.fx, lens.skew, lens.cx], [0, lens.fy, lens.cy], [0, 0, 1]],
        'sensor2ego': mount.tolist(),
        'timestamp': camera.timestamp.time_us / 1e6,
    }
    if camera.camera_to_global_se3 is not None:
        exposed = camera.camera_to_global_se3.transformation_matrix @ np.linalg.inv(mount)
        described['ego2global'] = exposed.tolist()
    return described


def write_points(lidar: Any, dataset: str, file: Path) -> Array:
    """Write the points of all LiDARs in the frame of the first, x y z intensity ring; return its mount (4, 4)."""
    from py123d.common.io.lidar.path_lidar_io import load_point_cloud_data_from_path

    metadata = lidar.metadata
    members = dict(metadata) if hasattr(metadata, 'lidar_metadatas') else {metadata.lidar_id: metadata}
    points, features = load_point_cloud_data_from_path(
        lidar._relative_path, dataset, lidar._iteration, lidar._dataset_root, members, lidar.load_kwargs
    )
    mount: Array = next(iter(members.values())).lidar_to_imu_se3.transformation_matrix
    to_lidar = np.linalg.inv(mount)
    nothing = np.zeros(len(points))
    columns = [features.get(name, nothing) for name in ('intensity', 'channel')]
    rows = np.column_stack((points @ to_lidar[:3, :3].T + to_lidar[:3, 3], *columns))
    file.parent.mkdir(parents=True, exist_ok=True)
    rows.astype(np.float32).tofile(file)
    return mount


def samples_of(log: Any, out: Path) -> Iterator[dict[str, Any]]:
    """Yield the samples of a drive."""
    from py123d.datatypes.detections.box_detections import BoxDetectionsSE3
    from py123d.datatypes.sensors.pinhole_camera import PinholeCameraMetadata
    from py123d.datatypes.vehicle_state.ego_state import EgoStateSE3
    from py123d.parser.base_dataset_parser import ParsedCamera, ParsedLidar

    about = log.get_log_metadata()
    for frame in log.iter_modalities_sync():
        parts = frame.modalities
        ego2global = next(p for p in parts if isinstance(p, EgoStateSE3)).imu_se3.transformation_matrix
        time = frame.timestamp.time_us
        token = f'{about.log_name}-{time}'
        sample: dict[str, Any] = {
            'token': token,
            'scene': about.log_name,
            'timestamp': time / 1e6,
            'ego2global': ego2global.tolist(),
            'cameras': {},
        }
        for part in parts:
            if isinstance(part, BoxDetectionsSE3):
                sample['boxes'] = list(boxes_of(part, ego2global))
            elif isinstance(part, ParsedCamera) and isinstance(part.metadata, PinholeCameraMetadata):
                name = part.metadata.camera_name
                sample['cameras'][name] = camera_of(part, out, f'{token}-{name}')
            elif isinstance(part, ParsedLidar):
                file = out / 'points' / f'{token}.bin'
                mount = write_points(part, about.dataset, file)
                sample['lidar'] = {'points': str(file.relative_to(out)), 'sensor2ego': mount.tolist()}
        yield sample


def option(word: str) -> tuple[str, Any]:
    """Read ``KEY=VALUE``, the value as JSON where it is some."""
    key, _, value = word.partition('=')
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, value


def main(argv: list[str] | None = None) -> None:
    """Write ``OUT/NAME.jsonl`` and the points."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('dataset', choices=PARSERS, help='data set that py123d reads')
    parser.add_argument('out', type=Path, metavar='OUT', help='folder to write, the data_root of configs')
    parser.add_argument('--name', default='train', help='name of the file of samples (default: train)')
    parser.add_argument('--options', nargs='+', type=option, default=[], metavar='KEY=VALUE', help='of the parser')
    args = parser.parse_args(argv)
    module, name = PARSERS[args.dataset]
    try:
        reader = getattr(import_module(f'py123d.parser.{module}'), name)(**dict(args.options))
    except (ImportError, TypeError, AssertionError) as error:
        sys.exit(f'py123d_layout.py: error: {error}; install py123d, and see its parser {name} for --options')
    args.out.mkdir(parents=True, exist_ok=True)
    with open(args.out / f'{args.name}.jsonl', 'w') as file:
        for log in reader.get_log_parsers():
            file.writelines(f'{json.dumps(sample)}\n' for sample in samples_of(log, args.out))


if __name__ == '__main__':
    main()
