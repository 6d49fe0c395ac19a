"""Log the scores of each class as numbers, to wherever the run's visualizer writes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.dist import is_main_process
from mmengine.logging import MessageHub
from mmengine.visualization import Visualizer

from .nuscenes_summary import TP_ERRORS


def class_scores(summary: Mapping[str, Any], classes: Sequence[str]) -> dict[str, float]:
    """Collect AP and errors of each class from a summary of the devkit, as ``classes/<class>/<score>``.

    Errors that are not measured for a class are left out.
    """
    scores: dict[str, float] = {}
    for name in classes:
        errors = summary['label_tp_errors'][name]
        rows = {'AP': summary['mean_dist_aps'][name]} | {short: errors[key] for key, short in TP_ERRORS.items()}
        scores |= {f'classes/{name}/{score}': float(value) for score, value in rows.items() if not math.isnan(value)}
    return scores


def log_class_scores(summary: Mapping[str, Any], classes: Sequence[str]) -> None:
    """Write the table of classes to the back ends of the current visualizer, if a run has made one."""
    # Asking for the current instance where there is none is an error in mmengine, which keeps its lock.
    if is_main_process() and Visualizer._instance_dict:
        step = MessageHub.get_current_instance().get_info('iter') or 0
        Visualizer.get_current_instance().add_scalars(class_scores(summary, classes), step=step)
