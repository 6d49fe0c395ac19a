"""Load nuScenes in queues of T frames; a single frame is a queue of one."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmdet3d.datasets import NuScenesDataset
from mmdet3d.registry import DATASETS
from mmengine.logging import print_log
from numpy.typing import NDArray

from ..for_people import counted
from ..structures.ego_state import relative_can_bus
from ..structures.sensor_stages import unused_prefixes
from .categories import BoxCount, CategoryMap, nearest, range_of_boxes
from .ego_pose import absolute_can_bus, rigid_transform
from .infos import TEMPORAL_FIELDS, find_infos, read_infos
from .infos.files import create_command
from .infos.names import CATEGORIES, DEFAULT_PREFIX
from .infos.validate import require_valid
from .queues import QUEUE_RULES, check_indices
from .transforms import build_stages, refuse_with_cameras
from .transforms.stages import Pipeline


class MissingSensorError(ValueError):
    """A record lacks a sensor that is to be loaded."""


@DATASETS.register_module()
class SequenceNuScenesDataset(NuScenesDataset):
    """nuScenes whose items are queues: images of T frames, points and boxes of the current frame.

    A pipeline sees, besides the fields of mmdet3d's data set: ``frames`` (T dicts with ``images`` and ``token``,
    oldest first), ``can_bus`` (T, 18) float32 as the network sees it, ``can_bus_absolute`` (18,) float64,
    ``history_exists`` (T,) bool and ``ego2global`` (4, 4) float64.

    The pipeline may be a mapping of names to transforms (see :func:`build_stages`). Stages whose name begins with
    ``images`` are left out without ``modality.use_camera``, with ``points`` without ``modality.use_lidar``: one
    pipeline serves camera, LiDAR and both.

    Note:
        Boxes of no class of ``metainfo.classes`` are dropped when the file is read, so no name filter is needed, and
        the version of the split comes from the file. In testing the queue is the current frame alone; the
        detector keeps the history.

    Args:
        data_root: nuScenes root.
        ann_file: Information file, relative to the root.
        pipeline: Transforms.
        queue_length: Frames T in training, the current one included.
        queue_rule: ``random_drop``, ``release`` or ``consecutive``, see :mod:`.queues`.
        released_can_bus: Fill ``can_bus`` as the code behind the released weights did: see :func:`absolute_can_bus`,
            and the position is that of the ego car's rear axle. Otherwise it is the LiDAR's, about which the BEV map
            turns; with the rear axle, a metre behind it, history lands 8 cm off after a turn by 5 degrees.
        data_prefix: Folders of the sensors relative to the root; by default nuScenes' own, and the root itself for
            files of other data sets.
        modality: Which sensors are loaded.
        cameras: Names of the cameras that are loaded, in the order in which the model gets them; by default those of
            the file in its order.
        categories: Which category becomes which class, see :class:`CategoryMap`; without it a class is the category
            of its own name. Of nuScenes these are the ten detection names, and the full names of the category table
            where the file has them, such as ``vehicle.bus.bendy``.
        test_mode: No ground truth in the pipeline, and a queue of one frame.
        **kwargs: Of mmdet3d's data set.

    Raises:
        ValueError: If an option is out of range, the file is of another layout, a record lacks a temporal field or a
            sensor, a class or camera is unknown, no sample of a training has a box, or the pipeline moves the LiDAR
            frame while cameras are loaded, see :func:`refuse_with_cameras`.
        FileNotFoundError: If the information file is missing.
    """

    METAINFO = {key: value for key, value in NuScenesDataset.METAINFO.items() if key != 'version'}

    def __init__(
        self,
        data_root: str,
        ann_file: str,
        pipeline: Pipeline = (),
        queue_length: int = 1,
        queue_rule: str = 'random_drop',
        released_can_bus: bool = False,
        data_prefix: Mapping[str, str] | None = None,
        modality: Mapping[str, bool] | None = None,
        cameras: Sequence[str] | None = None,
        categories: Mapping[str, str | None] | None = None,
        metainfo: Mapping[str, Any] | None = None,
        test_mode: bool = False,
        **kwargs: Any,
    ) -> None:
        if queue_length < 1:
            raise ValueError(f'queue_length counts the current frame and must be at least 1, got {queue_length}')
        if queue_rule not in QUEUE_RULES:
            raise ValueError(f'unknown queue_rule {queue_rule!r}; expected one of {", ".join(sorted(QUEUE_RULES))}')
        self.queue_length = queue_length
        self.queue_rule = queue_rule
        self.released_can_bus = released_can_bus
        sensors = {'use_camera': True, 'use_lidar': True} if modality is None else dict(modality)
        stages = build_stages(pipeline, unused_prefixes(sensors))
        if sensors.get('use_camera', False):
            refuse_with_cameras(stages)
        self.cameras = None if cameras is None else list(cameras)
        classes = dict(metainfo or {}).get('classes', self.METAINFO['classes'])
        self.category_map = CategoryMap(classes, categories)
        self.own_prefix = data_prefix is not None
        self.box_count = BoxCount(range_of_boxes(stages))
        self._seen_categories: set[str] = set()
        # mmdet3d looks each class up in those of nuScenes.
        self.METAINFO = {**self.METAINFO, 'classes': tuple(classes)}
        super().__init__(
            data_root=data_root,
            ann_file=ann_file,
            pipeline=stages,
            data_prefix=dict(DEFAULT_PREFIX if data_prefix is None else data_prefix),
            modality=sensors,
            metainfo=None if metainfo is None else dict(metainfo),
            test_mode=test_mode,
            **kwargs,
        )
        # A submission to the benchmark declares what was loaded, and the metric sees nothing but this.
        self._metainfo['modality'] = {sensor: bool(used) for sensor, used in sensors.items()}

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read the information file; nothing in it is run (:func:`read_infos`).

        Raises:
            FileNotFoundError: If it is missing.
            ValueError: If it is damaged, of another layout, a record is not what it should be, no category has a class,
                or there is no box to train on.
        """
        self.ann_file: str = find_infos(self.ann_file)
        infos = read_infos(self.ann_file)
        self._require_temporal_fields(infos['data_list'])
        for record in infos['data_list']:
            self._check_sensors(record)
        used = {sensor: bool(self.modality.get(f'use_{sensor}')) for sensor in ('camera', 'lidar')}
        require_valid(infos, self.ann_file, used['camera'], used['lidar'])
        for key, value in infos['metainfo'].items():
            self._metainfo.setdefault(key, value)
        if not self.own_prefix and self._metainfo.get('dataset', 'nuscenes') != 'nuscenes':
            self.data_prefix = dict.fromkeys(('img', 'pts', 'sweeps'), self.data_root)
        self._file_categories = self._metainfo.get('categories') or {name: i for i, name in enumerate(CATEGORIES)}
        self._file_labels = self.category_map.labels(self._file_categories)
        parsed = [self.parse_data_info(record) for record in infos['data_list']]
        self._check_boxes(len(parsed))
        check_indices(self._indices, len(parsed), self.ann_file)
        if self.category_map.categories:
            # The metric scores ground truth of the file by the same rule.
            self._metainfo['category_map'] = dict(self.category_map.categories)
        return parsed

    def _check_boxes(self, samples: int) -> None:
        """Tell classes without a category, and a file without a box of the classes; errors in training."""
        count = self.box_count
        problem, mistake = self.category_map.unknown({*self._file_categories, *self._seen_categories})
        if self.filter_empty_gt and not count.kept and not (problem and mistake):
            lost = f': {count.losses()}' if count.total else ''
            names = ', '.join(self.category_map.classes)
            problem = f'no box of the classes {names} in {counted(samples, "sample")}{lost}'
            mistake = True
        if mistake and not self.test_mode:
            raise ValueError(f'{self.ann_file}: {problem}')
        if problem and (count.total or not self.test_mode):
            print_log(f'{self.ann_file}: {problem}', 'current', logging.WARNING)

    def _require_temporal_fields(self, records: list[dict[str, Any]]) -> None:
        for record in records:
            missing = [field for field in TEMPORAL_FIELDS if field not in record]
            if missing:
                raise ValueError(
                    f'{self.ann_file}: sample {record.get("token")} lacks the temporal field {", ".join(missing)}. The '
                    f'file was written by another converter; write it again with: {create_command(self.data_root)}'
                )

    def parse_data_info(self, info: dict[str, Any]) -> dict[str, Any]:
        """Keep the fields of a record that a pipeline uses."""
        # Boxes per camera are most of a record and unused; without them reading an item costs a third.
        info.pop('cam_instances', None)
        if info.get('lidar_sweeps', ()) is None:
            del info['lidar_sweeps']
        parsed: dict[str, Any] = super().parse_data_info(info)
        parsed.pop('instances', None)
        parsed['ego2global'] = rigid_transform(parsed['ego2global_rotation'], parsed['ego2global_translation'])
        parsed['can_bus'] = absolute_can_bus(
            parsed['can_bus'], parsed['ego2global_rotation'], self._position(parsed), self.released_can_bus
        )
        for camera in parsed.get('images', {}).values():
            camera['cam2img'] = np.array(camera['cam2img'])
            camera['lidar2cam'] = np.array(camera['lidar2cam'])
        for sweep in parsed.get('lidar_sweeps', []):
            sweep.pop('ego2global', None)
            sweep['lidar_points'].pop('lidar2ego', None)
            sweep['lidar_points']['lidar2sensor'] = np.array(sweep['lidar_points']['lidar2sensor'])
        return parsed

    def _check_sensors(self, info: dict[str, Any]) -> None:
        """Choose the cameras of a record; refuse one that lacks a sensor that is loaded.

        What is of another type is left to the validator.
        """
        where = f'{self.ann_file}: sample {info.get("token")}'
        points, images = info.get('lidar_points'), info.get('images')
        if self.modality['use_lidar'] and isinstance(points, dict) and 'lidar_path' not in points:
            raise MissingSensorError(
                f'{where} has no LiDAR points; load cameras alone with modality=dict(use_camera=True, use_lidar=False)'
            )
        if self.modality['use_camera'] and (images is None or images == {}):
            raise MissingSensorError(
                f'{where} has no images; load LiDAR alone with modality=dict(use_camera=False, use_lidar=True)'
            )
        if self.cameras is not None and self.modality['use_camera'] and isinstance(images, dict):
            unknown = [name for name in self.cameras if name not in images]
            if unknown:
                raise ValueError(
                    f"{where} has no camera '{unknown[0]}'{nearest(unknown[0], images)}. "
                    f'It has {", ".join(images)}; choose with cameras=[...]'
                )
            info['images'] = {name: images[name] for name in self.cameras}

    def _position(self, info: dict[str, Any]) -> NDArray[np.float64]:
        """Return the global position (3,) whose change is the motion of the BEV map."""
        if self.released_can_bus:
            return np.asarray(info['ego2global_translation'], dtype=np.float64)
        position: NDArray[np.float64] = (info['ego2global'] @ np.array(info['lidar_points']['lidar2ego']))[:3, 3]
        return position

    def parse_ann_info(self, info: dict[str, Any]) -> dict[str, Any]:
        """Return boxes and labels of the classes that are trained."""
        instances = []
        for entry in info['instances']:
            label = self._label_of(entry)
            instances.append({**entry, 'bbox_label': label, 'bbox_label_3d': label})
        if instances:
            flag = [x['bbox_3d_isvalid'] if self.use_valid_flag else x['num_lidar_pts'] > 0 for x in instances]
            labels = np.array([x['bbox_label_3d'] for x in instances])
            self.box_count.add(labels, np.array(flag, dtype=bool), np.array([x['bbox_3d'][:2] for x in instances]))
        parsed = super().parse_ann_info({**info, 'instances': instances})
        known = parsed['gt_labels_3d'] >= 0
        return {'gt_bboxes_3d': parsed['gt_bboxes_3d'][known], 'gt_labels_3d': parsed['gt_labels_3d'][known]}

    def _label_of(self, instance: Mapping[str, Any]) -> int:
        """Return the label of a box: by its full category where that is mapped, else by its index in the file."""
        category = instance.get('category')
        if category is not None:
            self._seen_categories.add(category)
            if category in self.category_map.categories or category in self.category_map.classes:
                return self.category_map.label(category)
        return self._file_labels.get(instance['bbox_label_3d'], -1)

    def queue_indices(self, index: int) -> list[int]:
        """Draw the indices of the frames in the queue of `index`, oldest first."""
        if self.test_mode or self.queue_length == 1:
            return [index]

        def key(position: int) -> tuple[str, int]:
            info = self.get_data_info(position)
            return info['scene_token'], info['frame_idx']

        return QUEUE_RULES[self.queue_rule](index, self.queue_length, key)

    def frame_keys(self) -> list[tuple[str, int]]:
        """Return scene token and index in its scene of every frame, in the order of the data set."""
        infos = (self.get_data_info(index) for index in range(len(self)))
        return [(info['scene_token'], info['frame_idx']) for info in infos]

    def prepare_data(self, index: int) -> dict[str, Any] | None:
        """Run the pipeline on item `index`; None if it has no box to train on and such samples are filtered.

        Note:
            Only the current frame must have boxes; the original rejected an item for any empty history frame.
        """
        results = self.get_data_info(index)
        wants_boxes = not self.test_mode and self.filter_empty_gt
        if wants_boxes and not len(results['ann_info']['gt_labels_3d']):
            return None
        queue = self.queue_indices(results['sample_idx'])
        infos = [results if i == results['sample_idx'] else self.get_data_info(i) for i in queue]
        can_bus, continues = relative_can_bus([f['can_bus'] for f in infos], [f['scene_token'] for f in infos])
        results['frames'] = [{'images': frame.get('images', {}), 'token': frame['token']} for frame in infos]
        results['cameras'] = list(results.get('images', {}))
        results['can_bus_absolute'] = results['can_bus']
        results['can_bus'] = can_bus.astype(np.float32)
        results['history_exists'] = continues
        results['box_type_3d'] = self.box_type_3d
        results['box_mode_3d'] = self.box_mode_3d
        example: dict[str, Any] | None = self.pipeline(results)
        if example is not None and wants_boxes and 'data_samples' not in example:
            raise ValueError("the pipeline gives no data sample; end it with pack=dict(type='PackBEVInputs')")
        if wants_boxes and (example is None or not len(example['data_samples'].gt_instances_3d.labels_3d)):
            return None
        return example
