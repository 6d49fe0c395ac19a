"""Read objects, predictions and cameras of a nuScenes split with the devkit."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from nuscenes import NuScenes
from nuscenes.eval.common.config import config_factory
from nuscenes.eval.common.loaders import add_center_dist, filter_eval_boxes, load_gt, load_prediction
from nuscenes.eval.detection.data_classes import DetectionBox
from pyquaternion import Quaternion

from ..splits import EVAL_SETS
from .match import Cameras, Outcome, Sample, match

RESULTS = 'results_nusc.json'


class ValidationSplit:
    """Ground truth and cameras of the validation split of a data root.

    Args:
        root: nuScenes root.
        version: Version; by default the only one that is there.
        limit: Metres from the car within which objects and predictions count; None for the official range per class.

    Raises:
        FileNotFoundError: If the version is not there.
        ValueError: If there are several and none was named.
    """

    def __init__(self, root: Path, version: str | None = None, limit: float | None = None) -> None:
        version = version_of(root, version)
        with contextlib.redirect_stdout(io.StringIO()):
            self._devkit = NuScenes(version=version, dataroot=str(root), verbose=False)
            config = config_factory('detection_cvpr_2019')
            self.classes: list[str] = list(config.class_names)
            self._ranges = {name: limit or config.class_range[name] for name in self.classes}
            self._truth = self._in_range(load_gt(self._devkit, EVAL_SETS[version], DetectionBox))
        self._cameras = {token: self._cameras_of(token) for token in self._truth.sample_tokens}

    def outcome(self, results: Path) -> Outcome:
        """Match the predictions of a results file to the ground truth.

        Args:
            results: ``results_nusc.json`` as tools/test.py writes it, or a folder that holds one.

        Raises:
            FileNotFoundError: If there is none.
            ValueError: If it is of other samples.
        """
        file = results_file(results)
        with contextlib.redirect_stdout(io.StringIO()):
            predicted, _ = load_prediction(str(file), 500, DetectionBox)
        if set(predicted.sample_tokens) != set(self._truth.sample_tokens):
            raise ValueError(
                f'{file} has predictions for {len(predicted.sample_tokens)} samples, the split has '
                f'{len(self._truth.sample_tokens)}, and they are not the same: results and data root must fit'
            )
        predicted = self._in_range(predicted)
        return Outcome.joined([match(self._sample(token, predicted[token])) for token in self._truth.sample_tokens])

    def _in_range(self, boxes: Any) -> Any:
        if not boxes.all:  # the devkit's filter fails on a model that predicts nothing
            return boxes
        with contextlib.redirect_stdout(io.StringIO()):
            return filter_eval_boxes(self._devkit, add_center_dist(self._devkit, boxes), self._ranges)

    def _sample(self, token: str, predicted: list[Any]) -> Sample:
        truth = self._truth[token]

        def places(boxes: list[Any]) -> Any:
            return np.array([box.translation[:2] for box in boxes], dtype=np.float64).reshape(-1, 2)

        def labels(boxes: list[Any]) -> Any:
            return np.array([self.classes.index(box.detection_name) for box in boxes], dtype=np.int64)

        return Sample(
            truth=places(truth),
            truth_label=labels(truth),
            distance=np.array([box.ego_dist for box in truth], dtype=np.float64),
            predicted=places(predicted),
            predicted_label=labels(predicted),
            score=np.array([box.detection_score for box in predicted], dtype=np.float64),
            cameras=self._cameras[token],
        )

    def _cameras_of(self, token: str) -> Cameras:
        """Read camera centres and viewing directions on the ground, global frame."""
        centres, axes = [], []
        for channel, data_token in self._devkit.get('sample', token)['data'].items():
            if not channel.startswith('CAM'):
                continue
            data = self._devkit.get('sample_data', data_token)
            sensor = self._devkit.get('calibrated_sensor', data['calibrated_sensor_token'])
            pose = self._devkit.get('ego_pose', data['ego_pose_token'])
            turn = Quaternion(pose['rotation'])
            centres.append((turn.rotate(sensor['translation']) + np.array(pose['translation']))[:2])
            # A camera looks along its z.
            axis = turn.rotate(Quaternion(sensor['rotation']).rotate(np.array([0.0, 0.0, 1.0])))[:2]
            axes.append(axis / np.linalg.norm(axis))
        return Cameras(np.array(centres), np.array(axes))


def results_file(path: Path) -> Path:
    """Find the results file at a path: the file itself, or the only one in a folder.

    Raises:
        FileNotFoundError: If there is none.
    """
    if path.is_file():
        return path
    found = sorted(path.rglob(RESULTS)) if path.is_dir() else []
    if len(found) == 1:
        return found[0]
    if found:
        raise FileNotFoundError(f'{path} holds {len(found)} files {RESULTS}; name one')
    raise FileNotFoundError(
        f'no {RESULTS} in {path}; write one with: bevdistill test CONFIG CHECKPOINT --keep-predictions'
    )


def version_of(root: Path, version: str | None = None) -> str:
    """Return the annotated version of a root: the one that is asked for, or the only one.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If there are several and none was asked for.
    """
    there = [name for name in EVAL_SETS if (root / name).is_dir()]
    if not there:
        raise FileNotFoundError(f'{root} is no nuScenes root: it has no folder {" or ".join(EVAL_SETS)}')
    if version is None and len(there) != 1:
        raise ValueError(f'{root} has the versions {there}; choose one with --version')
    version = version or there[0]
    if version not in there:
        raise FileNotFoundError(f'no annotated version {version} in {root}; there are {there}')
    return version
