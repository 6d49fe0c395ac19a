"""Simulate one scene, write its sensor files and return its records."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from .can_bus import write_can_bus
from .catalog import LOCATIONS
from .rig import CAMERAS, LIDAR, Sensor, make_rig
from .schema import (
    Record,
    Tables,
    attribute_token,
    category_token,
    link,
    quaternions,
    sensor_token,
    token,
    visibility_token,
)
from .sensing import photograph, points_inside, scan
from .settings import Preset
from .world import World, make_world

Array = npt.NDArray[np.float64]

KEYFRAME_PERIOD = 0.5
SWEEP_PERIOD = 0.05
MAP_SIDE = 600.0
_MAP_MARGIN = 150.0
# Metres of road that the map shows beyond the drive, at both ends.
_MAP_ROAD = 60.0
_FIRST_UTIME = 1_600_000_000_000_000
_SCENE_UTIME = 120_000_000


@dataclass(frozen=True)
class SceneJob:
    """Job description of one scene for a worker process.

    Attributes:
        root: Folder of the data set.
        version: nuScenes version.
        preset: The numbers.
        seed: Seed of the data set.
        index: Position of the scene in the data set.
        name: Scene name out of the devkit's split.
        keyframes: Number of keyframes.
        annotated: Whether annotations are written.
    """

    root: Path
    version: str
    preset: Preset
    seed: int
    index: int
    name: str
    keyframes: int
    annotated: bool


def make_scene(job: SceneJob) -> tuple[Tables, Array]:
    """Simulate a scene, write its files below ``job.root``.

    Returns:
        Its records by table, and the middle of its road (P, 2) for the map.
    """
    return SceneWriter(job).run()


class SceneWriter:
    """Write one scene; world and rig are sampled on construction."""

    def __init__(self, job: SceneJob) -> None:
        self.job = job
        # A scene's randomness hangs on its name, so that neither the number of workers nor other scenes change it.
        self.rng = np.random.default_rng([job.seed, zlib.crc32(f'{job.version}/{job.name}'.encode())])
        start = self.rng.uniform(_MAP_MARGIN, MAP_SIDE - _MAP_MARGIN, 2)
        self.end = (job.keyframes - 1) * KEYFRAME_PERIOD
        duration = (-KEYFRAME_PERIOD, self.end + SWEEP_PERIOD)
        self.world: World = make_world(self.rng, job.preset.world, start, duration)
        self.rig = make_rig(self.rng, job.preset.camera)
        self.utime = _FIRST_UTIME + job.index * _SCENE_UTIME
        self.log = f'n900-synthetic-{job.name}'
        self.tables: Tables = {
            name: []
            for name in ('calibrated_sensor', 'ego_pose', 'instance', 'log', 'sample', 'sample_annotation',
                         'sample_data', 'scene')
        }  # fmt: skip
        self.tracks: dict[int, list[Record]] = {}
        # Records whose rotation is still a matrix: converting them all at once is much faster.
        self.turned: list[tuple[Record, Array]] = []

    def token(self, *parts: object) -> str:
        """Return a token of this scene."""
        return token(self.job.seed, self.job.version, self.job.name, *parts)

    def run(self) -> tuple[Tables, Array]:
        """Write everything; see ``make_scene``."""
        self._write_scene_records()
        for key in range(self.job.keyframes):
            self._write_keyframe(key)
        for channel in self.rig:
            of_channel = [r for r in self.tables['sample_data'] if f'/{channel}/' in r['filename']]
            link(sorted(of_channel, key=lambda record: record['timestamp']))
        self._write_instances()
        wxyz = quaternions(np.stack([rotation for _, rotation in self.turned]))
        for (record, _), rotation in zip(self.turned, wxyz, strict=True):
            record['rotation'] = rotation
        can_file = self.job.root / 'can_bus' / f'{self.job.name}_pose.json'
        write_can_bus(can_file, self.world, self.utime, (-KEYFRAME_PERIOD, self.end))
        return self.tables, self.world.path.extended(_MAP_ROAD, 5.0)

    def _write_scene_records(self) -> None:
        job = self.job
        samples: list[Record] = [
            {
                'token': self.token('sample', key),
                'timestamp': self._stamp(key * KEYFRAME_PERIOD),
                'scene_token': self.token('scene'),
            }
            for key in range(job.keyframes)
        ]
        link(samples)
        self.tables['sample'] = samples
        self.tables['scene'].append(
            {
                'token': self.token('scene'),
                'log_token': self.token('log'),
                'nbr_samples': job.keyframes,
                'first_sample_token': samples[0]['token'],
                'last_sample_token': samples[-1]['token'],
                'name': job.name,
                'description': f'Synthetic, {self.world.weather.name}',
            }
        )
        self.tables['log'].append(
            {
                'token': self.token('log'),
                'logfile': self.log,
                'vehicle': 'n900',
                'date_captured': '2020-09-13',
                'location': LOCATIONS[job.index % len(LOCATIONS)],
            }
        )
        for sensor in self.rig.values():
            self.tables['calibrated_sensor'].append(
                {
                    'token': self.token('calibrated_sensor', sensor.channel),
                    'sensor_token': sensor_token(sensor.channel),
                    'translation': sensor.to_ego[:3, 3].tolist(),
                    'rotation': quaternions(sensor.to_ego[None, :3, :3])[0],
                    'camera_intrinsic': [] if sensor.intrinsic is None else sensor.intrinsic.tolist(),
                }
            )

    def _stamp(self, time: float) -> int:
        """Return the time stamp of a scene time in microseconds."""
        return self.utime + round(time * 1e6)

    def _write_keyframe(self, key: int) -> None:
        time = key * KEYFRAME_PERIOD
        settings = self.job.preset.camera
        covered, seen = np.zeros((2, len(self.world.things)), np.int64)
        for slot in sorted(self.job.preset.sweep_slots, reverse=True):
            self._write_sweep(key, time - slot * SWEEP_PERIOD, key_frame=False)
        points = self._write_sweep(key, time, key_frame=True)
        for channel in CAMERAS:
            sensor = self.rig[channel]
            at = round(time - sensor.lead, 6)
            image, objects = photograph(
                self.world, sensor, at, (settings.height, settings.width), self.rng, covered
            )
            seen += np.bincount(objects[objects >= 0], minlength=len(seen))
            done, data = cv2.imencode('.jpg', image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, settings.jpeg_quality])
            assert done, 'an 8-bit colour image can always be encoded'
            record = self._add_sample_data(sensor, key, at, 'jpg', True, (settings.width, settings.height))
            (self.job.root / record['filename']).write_bytes(data.tobytes())
        if self.job.annotated:
            self._annotate(key, time, points, seen / np.maximum(covered, 1))

    def _write_sweep(self, key: int, time: float, key_frame: bool) -> npt.NDArray[np.float32]:
        time = round(time, 6)
        points = scan(self.world, self.rig[LIDAR], time, self.job.preset.lidar, self.rng)
        record = self._add_sample_data(self.rig[LIDAR], key, time, 'pcd', key_frame, (0, 0))
        (self.job.root / record['filename']).write_bytes(points.tobytes())
        return points

    def _add_sample_data(
        self, sensor: Sensor, key: int, time: float, fileformat: str, key_frame: bool, size: tuple[int, int]
    ) -> Record:
        """Record a sensor file with its own ego pose; an intermediate sweep belongs to the sample that follows it."""
        stamp = self._stamp(time)
        pose = self.world.ego_pose(time)
        own = self.token('sample_data', sensor.channel, stamp)
        ending = 'jpg' if fileformat == 'jpg' else 'pcd.bin'
        folder = 'samples' if key_frame else 'sweeps'
        record = {
            'token': own,
            'sample_token': self.tables['sample'][key]['token'],
            'ego_pose_token': own,
            'calibrated_sensor_token': self.token('calibrated_sensor', sensor.channel),
            'timestamp': stamp,
            'fileformat': fileformat,
            'is_key_frame': key_frame,
            'height': size[1],
            'width': size[0],
            'filename': f'{folder}/{sensor.channel}/{self.log}__{sensor.channel}__{stamp}.{ending}',
        }
        self.tables['sample_data'].append(record)
        ego = {'token': own, 'timestamp': stamp, 'rotation': [], 'translation': pose[:3, 3].tolist()}
        self.tables['ego_pose'].append(ego)
        self.turned.append((ego, pose[:3, :3]))
        return record

    def _annotate(self, key: int, time: float, points: npt.NDArray[np.float32], visible: Array) -> None:
        """Annotate the labelled objects whose centre lies in the square around the LiDAR."""
        world = self.world
        lidar_to_global = world.ego_pose(time) @ self.rig[LIDAR].to_ego
        centres, rotations = world.poses(time)
        local = (centres - lidar_to_global[:3, 3]) @ lidar_to_global[:3, :3]
        inside = (np.abs(local[:, :2]) <= self.job.preset.world.extent).all(axis=1)
        chosen = [int(i) for i in np.flatnonzero(inside) if world.things[i].category]
        counts = points_inside(
            points, local[chosen], lidar_to_global[:3, :3].T @ rotations[chosen], world.sizes[chosen]
        )
        for i, count in zip(chosen, counts.tolist(), strict=True):
            thing = world.things[i]
            record = {
                'token': self.token('sample_annotation', i, key),
                'sample_token': self.tables['sample'][key]['token'],
                'instance_token': self.token('instance', i),
                'visibility_token': visibility_token(float(visible[i])),
                'attribute_tokens': [attribute_token(thing.attribute)] if thing.attribute else [],
                'translation': centres[i].tolist(),
                'size': world.sizes[i].tolist(),
                'rotation': [],
                'num_lidar_pts': count,
                'num_radar_pts': 0,
            }
            self.tables['sample_annotation'].append(record)
            self.tracks.setdefault(i, []).append(record)
            self.turned.append((record, rotations[i]))

    def _write_instances(self) -> None:
        for i, track in self.tracks.items():
            link(track)
            self.tables['instance'].append(
                {
                    'token': self.token('instance', i),
                    'category_token': category_token(self.world.things[i].category),
                    'nbr_annotations': len(track),
                    'first_annotation_token': track[0]['token'],
                    'last_annotation_token': track[-1]['token'],
                }
            )
