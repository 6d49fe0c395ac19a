"""Read what is there and what runs predicted, sample by sample, in the LiDAR frame; needs no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.categories import CategoryMap
from ...datasets.infos import read_infos
from ...datasets.infos.names import CATEGORIES, DEFAULT_PREFIX
from .runs import PREDICT_FILE

Floats = NDArray[np.float64]
MOST_BOXES = 500
"""Of a sample, as in the benchmark."""


@dataclass(frozen=True)
class Boxes:
    """Boxes of one sample in its LiDAR frame.

    Args:
        centres: Of the whole boxes, (n, 3) metres.
        sizes: Along the heading, across, up, (n, 3) metres.
        yaws: Radians from +x, counter-clockwise, (n,).
        labels: Classes, (n,).
        scores: Scores, (n,); 1 of what is there.
    """

    centres: Floats
    sizes: Floats
    yaws: Floats
    labels: NDArray[np.int64]
    scores: Floats

    @classmethod
    def of(cls, rows: Sequence[Sequence[float]], labels: Sequence[int], scores: Sequence[float] | None = None) -> Boxes:
        """Make boxes of rows ``x, y, z, length, width, height, yaw``; those that are not finite are left out."""
        table = np.array(rows, dtype=np.float64).reshape(-1, 7)
        found = np.ones(len(table)) if scores is None else np.array(scores, dtype=np.float64)
        kept = np.isfinite(table).all(axis=1) & np.isfinite(found)
        ints = np.array(labels, dtype=np.int64)[kept]
        return cls(table[kept, :3], table[kept, 3:6], table[kept, 6], ints, found[kept])

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> Boxes:
        """Select boxes by a mask or an index."""
        return Boxes(self.centres[keep], self.sizes[keep], self.yaws[keep], self.labels[keep], self.scores[keep])


@dataclass(frozen=True)
class Samples:
    """The samples of an information file.

    Args:
        infos: Record of each by its token.
        names: Category of each index of the file.
        classes: Classes that are detected, and what is mapped to them.
        limits: Metres from the ego car within which boxes of each class count, (K,).
        root: Data root.
        prefix: Folders of the sensors relative to it.
        file: The file.
    """

    infos: Mapping[str, Mapping[str, Any]]
    names: Mapping[int, str]
    classes: CategoryMap
    limits: Floats
    root: Path
    prefix: Mapping[str, str]
    file: Path

    def truth(self, token: str) -> Boxes:
        """Return the valid objects of a sample that are of a class and within range, as the metrics count them."""
        rows: list[list[float]] = []
        labels: list[int] = []
        for entry in self.infos[token].get('instances') or ():
            category = entry.get('category')
            if category not in self.classes.categories and category not in self.classes.classes:
                category = self.names.get(entry['bbox_label_3d'], '')
            label = self.classes.label(category)
            if label >= 0 and entry['bbox_3d_isvalid']:
                rows.append(entry['bbox_3d'][:7])
                labels.append(label)
        return self.within(token, Boxes.of(rows, labels))

    def within(self, token: str, boxes: Boxes) -> Boxes:
        """Return the boxes within the range of their class."""
        lidar2ego = np.asarray(self.infos[token]['lidar_points']['lidar2ego'], dtype=np.float64)
        places = boxes.centres @ lidar2ego[:2, :3].T + lidar2ego[:2, 3]
        return boxes.select(np.linalg.norm(places, axis=1) <= self.limits[boxes.labels])

    def path(self, sensor: str, name: str) -> Path:
        """Return the file of a camera, or of ``pts``.

        Raises:
            ValueError: If its name leads out of the data root: what is read is copied into the page.
        """
        if Path(name).is_absolute() or '..' in Path(name).parts:
            raise ValueError(f'{name} of {self.file} lies outside the data root; not read')
        folder = self.prefix.get(sensor, '' if sensor == 'pts' else self.prefix.get('img', ''))
        return self.root / folder / name


def read_samples(config: Mapping[str, Any], data_root: Path | None = None, ann_file: Path | None = None) -> Samples:
    """Read the information file of a config's test data.

    Args:
        config: Of a run.
        data_root: Data root in place of the config's.
        ann_file: Information file in place of the config's.

    Raises:
        FileNotFoundError: If it is not there; says which options name it.
        ValueError: If it is damaged, or the config names neither root nor file.
    """
    data = config.get('test_dataloader') or config.get('val_dataloader') or {}
    while isinstance(data, Mapping) and isinstance(data.get('dataset'), Mapping):
        data = data['dataset']
    named = ann_file or data.get('ann_file')
    root = data_root or data.get('data_root')
    if named is None or root is None:
        raise ValueError('no config names test data; name them by --data-root DIR --ann-file FILE')
    file = Path(named) if ann_file is not None else Path(root) / named
    try:
        infos = read_infos(file)
    except FileNotFoundError as error:
        raise FileNotFoundError(f'no information file {file}; name the data by --data-root DIR') from error
    meta = infos['metainfo']
    names = (data.get('metainfo') or {}).get('classes') or CATEGORIES
    ours = meta.get('dataset', 'nuscenes') == 'nuscenes'
    indices = meta.get('categories') or {name: index for index, name in enumerate(CATEGORIES)}
    return Samples(
        {str(info['token']): info for info in infos['data_list']},
        {index: name for name, index in indices.items() if index >= 0},
        CategoryMap(names, data.get('categories')),
        _limits(config.get('test_evaluator') or config.get('val_evaluator'), names, ours),
        Path(root), data.get('data_prefix') or (DEFAULT_PREFIX if ours else {}), file,
    )  # fmt: skip


def _limits(evaluators: Any, names: Sequence[str], official: bool) -> Floats:
    """Return the ranges of the first evaluator that has some, or else the official ones of nuScenes' classes."""
    chosen: Any = None
    for evaluator in evaluators if isinstance(evaluators, list | tuple) else [evaluators or {}]:
        chosen = chosen or evaluator.get('class_range')
    if chosen is None and official:
        from nuscenes.eval.common.config import config_factory

        chosen = config_factory('detection_cvpr_2019').class_range
    ranges = chosen if isinstance(chosen, Mapping) else dict.fromkeys(names, np.inf if chosen is None else chosen)
    return np.array([float(ranges.get(name, np.inf)) for name in names])


def read_predictions(file: Path, samples: Samples, threshold: float) -> dict[str, Boxes]:
    """Read the boxes that score at least a threshold, of the samples that are known.

    Raises:
        ValueError: If it is no file of predictions, or of other samples.
    """
    found = _predicted(file, samples, threshold) if file.name == PREDICT_FILE else _submitted(file, samples, threshold)
    if not found:
        raise ValueError(
            f'{file} and {samples.file} have no sample in common; name the data by --data-root DIR, --ann-file FILE'
        )
    return {token: samples.within(token, boxes) for token, boxes in found.items()}


def _submitted(file: Path, samples: Samples, threshold: float) -> dict[str, Boxes]:
    from ...evaluation.nuscenes_boxes import read_results

    names = samples.classes.classes
    found: dict[str, Boxes] = {}
    for token, boxes in read_results(file, MOST_BOXES).items():
        if token not in samples.infos:
            continue
        try:
            kept = [b for b in boxes if b['detection_score'] >= threshold and b['detection_name'] in names]
            table = [[*b['translation'], *b['size'], *b['rotation']] for b in kept]
            rows = to_lidar(np.array(table, dtype=np.float64).reshape(-1, 10), samples.infos[token])
        except (TypeError, ValueError) as error:
            raise ValueError(f'{file}: sample {token} has a box that is none ({error})') from error
        labels = [names.index(b['detection_name']) for b in kept]
        found[token] = Boxes.of(rows.tolist(), labels, [b['detection_score'] for b in kept])
    return found


def to_lidar(table: Floats, info: Mapping[str, Any]) -> Floats:
    """Move boxes of the submission format from global axes to a sample's LiDAR frame.

    Args:
        table: Centre, width, length, height, quaternion w, x, y, z, (n, 10).
        info: Record of the sample.

    Returns:
        ``x, y, z, length, width, height, yaw``, (n, 7).
    """
    lidar2global = np.asarray(info['ego2global'], dtype=np.float64) @ np.asarray(info['lidar_points']['lidar2ego'])
    turn, shift = lidar2global[:3, :3], lidar2global[:3, 3]
    w, x, y, z = table[:, 6:].T
    # The first column of the rotation matrix: where the box looks; of any length, since only its angle counts.
    heading = np.stack((w * w + x * x - y * y - z * z, 2 * (x * y + w * z), 2 * (x * z - w * y)), axis=1) @ turn
    yaws = np.arctan2(heading[:, 1], heading[:, 0])
    return np.column_stack(((table[:, :3] - shift) @ turn, table[:, [4, 3, 5]], yaws))


def _predicted(file: Path, samples: Samples, threshold: float) -> dict[str, Boxes]:
    """Read what ``bevdistill predict`` wrote, which is in the LiDAR frame."""
    names = samples.classes.classes
    found: dict[str, Boxes] = {}
    try:
        for moment in json.loads(file.read_text(encoding='utf-8'))['moments']:
            token = str(moment['token'])
            if token in samples.infos:
                kept = [box for box in moment['objects'] if box['score'] >= threshold and box['name'] in names]
                rows = [[*box['centre_m'], *box['size_m'], box['yaw_rad']] for box in kept]
                labels = [names.index(box['name']) for box in kept]
                found[token] = Boxes.of(rows, labels, [box['score'] for box in kept])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f'{file} is no file of predictions as bevdistill predict writes it: {error!r}') from error
    return found
