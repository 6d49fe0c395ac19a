"""Read objects, predictions and cameras of samples of nuScenes with the devkit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from nuscenes.eval.common.config import config_factory
from nuscenes.eval.common.data_classes import EvalBoxes
from pyquaternion import Quaternion

from ...for_people import counted
from ..nuscenes_boxes import NuScenesTables, read_results
from ..nuscenes_summary import full_class_range
from ..splits import EVAL_SETS
from .match import Cameras, Outcome, Sample, match

RESULTS = 'results_nusc.json'


class ErrorSplit:
    """Ground truth and cameras of the samples that were predicted, of a data root.

    Args:
        root: nuScenes root.
        version: Version; by default the only one that is there.
        limit: Metres from the car within which objects and predictions count; None for the official range per class.

    Raises:
        FileNotFoundError: If the version is not there.
        ValueError: If there are several and none was named.
    """

    def __init__(self, root: Path, version: str | None = None, limit: float | None = None) -> None:
        self._tables = NuScenesTables(root, version_of(root, version))
        self._config = config_factory('detection_cvpr_2019')
        self.classes: list[str] = list(self._config.class_names)
        if limit is not None:
            self._config.class_range.update(full_class_range(limit, self.classes))
        self._truth = EvalBoxes()
        self._file: Path | None = None

    def outcome(self, results: Path) -> Outcome:
        """Match the predictions of a results file to the ground truth of its samples.

        Args:
            results: ``results_nusc.json`` as a test writes it, or a folder that holds one.

        Raises:
            FileNotFoundError: If there is none.
            ValueError: If it is of other data, or of other samples than the file before.
        """
        file = results_file(results)
        found = read_results(file, self._config.max_boxes_per_sample)
        if self._file is None:
            self._truth, self._file = self._tables.truth(list(found), self._config), file
        if set(found) != set(self._truth.sample_tokens):
            raise ValueError(
                f'{file} has predictions for {counted(len(found), "sample")}, {self._file} for '
                f'{len(self._truth.sample_tokens)}, '
                'and they are not the same: errors compare on the same samples'
            )
        predicted = self._tables.predicted(found, self._config)
        return Outcome.joined([match(self._sample(token, predicted[token])) for token in self._truth.sample_tokens])

    @property
    def scope(self) -> str:
        """Which samples these are, where not the whole official split; '' where they are."""
        return self._tables.scope(self._truth.sample_tokens)

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
            cameras=self._cameras_of(token),
        )

    def _cameras_of(self, token: str) -> Cameras:
        """Read camera centres and viewing directions on the ground, global frame."""
        centres, axes = [], []
        for channel, data_token in self._tables.devkit.get('sample', token)['data'].items():
            if not channel.startswith('CAM'):
                continue
            data = self._tables.devkit.get('sample_data', data_token)
            sensor = self._tables.devkit.get('calibrated_sensor', data['calibrated_sensor_token'])
            pose = self._tables.devkit.get('ego_pose', data['ego_pose_token'])
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
        raise FileNotFoundError(f'{path} holds {counted(len(found), "file")} {RESULTS}; name one')
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
