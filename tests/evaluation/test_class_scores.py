"""AP and errors of each class as numbers, in TensorBoard too."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from mmengine.logging import MessageHub
from mmengine.visualization import Visualizer

from bevdistill.evaluation.class_scores import TP_ERRORS, class_scores, log_class_scores

CLASSES = ('car', 'barrier')


def summary() -> dict[str, Any]:
    errors = {name: dict.fromkeys(TP_ERRORS, 0.5) for name in CLASSES}
    errors['barrier']['vel_err'] = math.nan
    return dict(label_tp_errors=errors, mean_dist_aps=dict(car=0.25, barrier=0.75))


def test_scores_by_class_without_those_that_are_not_measured() -> None:
    scores = class_scores(summary(), CLASSES)
    assert scores['classes/car/AP'] == 0.25
    assert scores['classes/car/AVE'] == 0.5
    assert 'classes/barrier/AVE' not in scores
    assert len(scores) == 11


def test_tensorboard_has_them_at_the_iteration(tmp_path: Path) -> None:
    loader = pytest.importorskip('tensorboard.backend.event_processing.event_accumulator')
    backends = [dict(type='TensorboardVisBackend')]
    visualizer = Visualizer.get_instance('class scores', vis_backends=backends, save_dir=str(tmp_path))
    MessageHub.get_current_instance().update_info('iter', 7)
    try:
        log_class_scores(summary(), CLASSES)
    finally:
        visualizer.close()
        Visualizer._instance_dict.pop('class scores')
    (event,) = loader.EventAccumulator(str(tmp_path / 'vis_data')).Reload().Scalars('classes/barrier/AP')
    assert (event.step, event.value) == (7, 0.75)


def test_without_a_run_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Visualizer, '_instance_dict', {})
    log_class_scores(summary(), CLASSES)
