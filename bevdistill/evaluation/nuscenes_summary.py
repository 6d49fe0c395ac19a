"""Score boxes with the devkit's own evaluation, and sum it up over the classes that count."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from nuscenes.eval.common.data_classes import EvalBoxes
from nuscenes.eval.detection.data_classes import DetectionConfig, DetectionMetricDataList
from nuscenes.eval.detection.evaluate import DetectionEval
from terminaltables import AsciiTable

TP_ERRORS = {'trans_err': 'ATE', 'scale_err': 'ASE', 'orient_err': 'AOE', 'vel_err': 'AVE', 'attr_err': 'AAE'}
NOT_MEASURED = {'traffic_cone': ('attr_err', 'vel_err', 'orient_err'), 'barrier': ('attr_err', 'vel_err')}

Summary = dict[str, Any]


class BoxEval(DetectionEval):  # type: ignore[misc]
    """The devkit's evaluation of boxes that are in memory and already filtered.

    Args:
        truth: Ground truth.
        predicted: Predictions of the same samples.
        config: Settings; only the classes in ``class_names`` are evaluated.
    """

    def __init__(self, truth: EvalBoxes, predicted: EvalBoxes, config: DetectionConfig) -> None:
        self.gt_boxes, self.pred_boxes, self.cfg, self.verbose = truth, predicted, config, False


def score_boxes(
    truth: EvalBoxes,
    predicted: EvalBoxes,
    config: DetectionConfig,
    classes: Sequence[str],
    partial: bool = True,
    all_classes: bool = False,
) -> tuple[Summary, DetectionMetricDataList]:
    """Compute AP, errors and NDS.

    Means are over the classes that count: those of `classes` that have ground truth. Of the whole official split with
    the official ten, or with `all_classes`, all ten count, as with the devkit. Errors that none of the classes has (of
    cones alone: AOE, AVE and AAE) are left out of the NDS and of its weight.

    Args:
        truth: Ground truth, filtered.
        predicted: Predictions of the same samples, filtered.
        config: The devkit's settings.
        classes: Classes that are detected.
        partial: Whether these are other samples than those of the whole official split.
        all_classes: Whether all ten classes count in any case.

    Returns:
        The devkit's summary, NaN for classes that do not count, with ``counted`` (the names of those that do), and
        ``truth`` (boxes per class); and the devkit's curves.
    """
    boxes = dict.fromkeys(config.class_names, 0)
    for box in truth.all:
        boxes[box.detection_name] += 1
    config = copy.copy(config)
    if not all_classes and (partial or set(classes) != set(config.class_names)):
        config.class_names = [name for name in config.class_names if name in classes and boxes[name]]
    metrics, curves = BoxEval(truth, predicted, config).evaluate()
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'Mean of empty slice')
        warnings.filterwarnings('ignore', 'invalid value encountered')
        summary: Summary = metrics.serialize()
    if any(map(math.isnan, summary['tp_errors'].values())):
        summary['nd_score'] = partial_nds(summary, config.mean_ap_weight)
    for name in set(classes) - set(config.class_names):
        summary['label_aps'][name] = dict.fromkeys(config.dist_ths, math.nan)
        summary['mean_dist_aps'][name] = math.nan
        summary['label_tp_errors'][name] = dict.fromkeys(TP_ERRORS, math.nan)
    return summary | {'counted': list(config.class_names), 'truth': boxes}, curves


def partial_nds(summary: Summary, weight: float) -> float:
    """Compute ``(w mAP + sum_e max(0, 1 - e)) / (w + number of e)`` over the errors e that are measured."""
    errors = [error for error in summary['tp_errors'].values() if not math.isnan(error)]
    total = weight * summary['mean_ap'] + sum(max(0.0, 1.0 - error) for error in errors)
    return float(total / (weight + len(errors)))


def full_class_range(class_range: float | Mapping[str, float], classes: list[str]) -> dict[str, float]:
    """Expand the option to a range for each class.

    Raises:
        ValueError: If a class is unknown or a range is not positive.
    """
    ranges = dict(class_range) if isinstance(class_range, Mapping) else dict.fromkeys(classes, class_range)
    unknown = sorted(set(ranges) - set(classes))
    if unknown:
        raise ValueError(f'class_range names unknown classes {unknown}; expected some of {classes}')
    wrong = {name: value for name, value in ranges.items() if not value > 0}
    if wrong:
        raise ValueError(f'class_range is in metres and must be positive, got {wrong}')
    return {name: float(value) for name, value in ranges.items()}


def empty_summary(config: DetectionConfig) -> Summary:
    """Return what the devkit reports when nothing is detected: AP 0, every measured error 1."""
    classes = list(config.class_names)
    errors = {
        name: {error: math.nan if error in NOT_MEASURED.get(name, ()) else 1.0 for error in TP_ERRORS}
        for name in classes
    }
    return {
        'nd_score': 0.0,
        'mean_ap': 0.0,
        'tp_errors': dict.fromkeys(TP_ERRORS, 1.0),
        'mean_dist_aps': dict.fromkeys(classes, 0.0),
        'label_aps': {name: dict.fromkeys(config.dist_ths, 0.0) for name in classes},
        'label_tp_errors': errors,
    }


def short_metrics(summary: Summary, classes: Sequence[str]) -> dict[str, float]:
    """Collect the numbers to log, by name."""
    metrics = {'NDS': summary['nd_score'], 'mAP': summary['mean_ap']}
    metrics.update({f'm{short}': summary['tp_errors'][name] for name, short in TP_ERRORS.items()})
    for distance in next(iter(summary['label_aps'].values())):
        aps = [aps[distance] for aps in summary['label_aps'].values() if not math.isnan(aps[distance])]
        metrics[f'AP_{distance}'] = np.mean(aps) if aps else math.nan
    metrics.update({f'{name}_AP': summary['mean_dist_aps'][name] for name in classes})
    return {name: round(float(value), 4) for name, value in metrics.items()}


def title(summary: Summary, classes: Sequence[str], scope: str = '') -> str:
    """Say the score, over which classes where not over all ten, and of which samples where not of the whole split."""
    words = [f'NDS {summary["nd_score"]:.4f}  mAP {summary["mean_ap"]:.4f}']
    counted = summary['counted']
    if len(counted) < 10:
        words.append(f'over {len(counted)} of 10 classes: {", ".join(counted) or "none"}')
        absent = [name for name in classes if name not in counted]
        if absent:
            words.append(f'no ground truth: {", ".join(absent)}')
    if scope:
        words.append(f'{scope}: not comparable with the official score')
    return '; '.join(words)


def class_table(summary: Summary, classes: Sequence[str], scope: str = '') -> str:
    """Format AP and errors per class, and their means, below a line that says of what they are."""
    rows = [['class', 'AP', *TP_ERRORS.values()]]
    for name in classes:
        errors = summary['label_tp_errors'][name]
        rows.append([name, *(f'{v:.3f}' for v in (summary['mean_dist_aps'][name], *(errors[e] for e in TP_ERRORS)))])
    means = (summary['mean_ap'], *(summary['tp_errors'][error] for error in TP_ERRORS))
    rows.append(['mean', *(f'{value:.3f}' for value in means)])
    return f'{title(summary, classes, scope)}\n{AsciiTable(rows).table}'
