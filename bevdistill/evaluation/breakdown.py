"""Tabulate scores of a results file: whole, by distance, visibility, light, weather and scenes; and its curves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from nuscenes.eval.common.config import config_factory
from nuscenes.eval.common.data_classes import EvalBoxes
from nuscenes.eval.detection.data_classes import DetectionMetricDataList

from .groups import Group, distance_bands, named_scenes, of_samples, scene_sets, visibility_levels
from .nuscenes_boxes import NuScenesTables, read_results
from .nuscenes_summary import TP_ERRORS, Summary, full_class_range, score_boxes


class ScoredResults:
    """A results file and the ground truth of its samples, read once.

    Args:
        tables: Tables of the data.
        results: Results file.
        class_range: Metres from the ego car, one number or one per class; None for the official ranges.
        classes: Classes that are detected; all ten by default.
        all_classes: Whether means are over all ten also where `classes` are fewer.
        tokens: Samples to score; by default those of the results file.

    Raises:
        ValueError: If the file is no results file, is of other data, or lacks one of `tokens`; if a class is unknown.
    """

    def __init__(
        self,
        tables: NuScenesTables,
        results: Path,
        class_range: float | Mapping[str, float] | None = None,
        classes: Sequence[str] | None = None,
        all_classes: bool = False,
        tokens: Sequence[str] | None = None,
    ) -> None:
        self.config = config_factory('detection_cvpr_2019')
        names = list(self.config.class_names)
        if class_range is not None:
            self.config.class_range.update(full_class_range(class_range, names))
        unknown = [name for name in classes or () if name not in names]
        if unknown:
            raise ValueError(f"no class '{unknown[0]}'; nuScenes has {', '.join(names)}")
        self.classes = [name for name in names if name in (classes or names)]
        self.all_classes = all_classes
        found = read_results(results, self.config.max_boxes_per_sample)
        if tokens is not None:
            missing = [token for token in tokens if token not in found]
            if missing:
                raise ValueError(
                    f'{results} has no predictions for {len(missing)} of {len(tokens)} samples, the first is '
                    f'{missing[0]}'
                )
            found = {token: found[token] for token in tokens}
        self.scope = tables.scope(found)
        self.scenes = {token: tables.scene_of[token] for token in found if token in tables.scene_of}
        self.truth = tables.truth(list(found), self.config)
        self.predicted = tables.predicted(found, self.config)

    @property
    def unused(self) -> list[str]:
        """Classes that are to be detected and of which there is no predicted box."""
        used = {box.detection_name for box in self.predicted.all}
        return [name for name in self.classes if name not in used]

    def score(self) -> tuple[Summary, DetectionMetricDataList]:
        """Score all samples."""
        return self._score(self.truth, self.predicted, bool(self.scope))

    def groups(self, kinds: Iterable[str], edges: Sequence[float], scenes: Sequence[str] = ()) -> Iterator[Group]:
        """Yield the parts of the boxes by each kind.

        Args:
            kinds: Some of :data:`groups.KINDS`.
            edges: Of the distance bands, metres.
            scenes: Lists of scenes, see :func:`named_scenes`.

        Raises:
            ValueError: If a scene is unknown.
        """
        sets = {('scenes', name): tokens for name, tokens in named_scenes(scenes, self.scenes).items()}
        for kind in kinds:
            if kind == 'distance':
                yield from distance_bands(self.truth, self.predicted, edges)
            elif kind == 'visibility':
                yield from visibility_levels(self.truth, self.predicted)
            else:
                sets |= {(kind, name): tokens for name, tokens in scene_sets(kind, self.scenes).items()}
        for (kind, name), tokens in sets.items():
            yield of_samples(kind, name, self.truth, self.predicted, tokens)

    def table(self, whole: tuple[Summary, DetectionMetricDataList], groups: Iterable[Group]) -> pd.DataFrame:
        """Tabulate the whole and each group, the means first, then each class.

        Returns:
            ``by, group, class`` (``mean`` for the means), ``samples``, ``objects`` (ground truth), ``NDS`` (of means),
            ``AP``, ``recall`` (share of objects that a box finds within 2 m, whatever its score; whole percents rounded
            down, as the devkit's curves have it) and the errors; NaN where nothing is measured.
        """
        rows = list(self._rows({'by': 'all', 'group': ''}, self.truth, *whole))
        for group in groups:
            scores = self._score(group.truth, group.predicted, True)
            rows += self._rows({'by': group.kind, 'group': group.name}, group.truth, *scores)
        return pd.DataFrame(rows)

    def _score(self, truth: EvalBoxes, predicted: EvalBoxes, partial: bool) -> tuple[Summary, DetectionMetricDataList]:
        return score_boxes(truth, predicted, self.config, self.classes, partial, self.all_classes)

    def _rows(
        self, group: dict[str, str], truth: EvalBoxes, summary: Summary, curves: DetectionMetricDataList
    ) -> Iterator[dict[str, Any]]:
        samples, counted, near = len(truth.sample_tokens), summary['counted'], self.config.dist_th_tp
        recall = {name: float(curves[name, near].max_recall) for name in counted}
        yield group | {
            'class': 'mean',
            'samples': samples,
            'objects': sum(summary['truth'][name] for name in self.classes),
            'NDS': summary['nd_score'],
            'AP': summary['mean_ap'],
            'recall': sum(recall.values()) / len(counted) if counted else math.nan,
            **{short: summary['tp_errors'][error] for error, short in TP_ERRORS.items()},
        }
        for name in self.classes:
            yield group | {
                'class': name,
                'samples': samples,
                'objects': summary['truth'][name],
                'NDS': math.nan,
                'AP': summary['mean_dist_aps'][name],
                'recall': recall.get(name, math.nan),
                **{short: summary['label_tp_errors'][name][error] for error, short in TP_ERRORS.items()},
            }


def curve_table(curves: DetectionMetricDataList) -> pd.DataFrame:
    """Tabulate precision and confidence over recall, 101 steps for each class and distance."""
    parts = [
        pd.DataFrame(
            {
                'class': name,
                'distance': distance,
                'recall': data.recall,
                'precision': data.precision,
                'confidence': data.confidence,
            }
        )
        for (name, distance), data in curves.md.items()
    ]
    columns = ['class', 'distance', 'recall', 'precision', 'confidence']
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
