"""Columns of a study's table are known before anything runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from study_folder import StudyFolder

from bevdistill.cli import study as verb
from bevdistill.evaluation.detection_metric import summary
from bevdistill.studies.metric_names import metric_names

MANIFEST = Path(__file__).resolve().parents[2] / 'docs/results/benchmark_first_manifest.json'


def test_names_are_those_of_a_real_test() -> None:
    jobs = json.loads(MANIFEST.read_text())['jobs']
    real = {name for job in jobs for name in job.get('metrics', {}) if job['kind'] == 'run'}
    assert real and real <= set(metric_names(dict(test_evaluator=dict(type='BEVNuScenesMetric'))))


def test_names_of_bands_and_of_ones_own_classes() -> None:
    cfg = dict(
        test_evaluator=[dict(type='BEVDetectionMetric', bands=[0, 20, 40.5])],
        test_dataloader=dict(dataset=dict(type='Wrapper', dataset=dict(metainfo=dict(classes=['van', 'tram'])))),
    )
    row = dict.fromkeys(('AP', 'AP_0.5', 'AP_1.0', 'AP_2.0', 'AP_4.0', 'ATE', 'ASE', 'AOE', 'AVE'), 0.5)
    scores = summary(dict(van=row, tram=row), [0.5, 1.0, 2.0, 4.0])
    bands = {f'{name}_{band}' for band in ('0-20m', '20-40.5m') for name in scores if 'AP_' not in name}
    assert set(metric_names(cfg)) == {*scores, *bands, 'seconds', 'time', 'data_time'}
    assert metric_names(dict(test_evaluator=[*cfg['test_evaluator'], dict(type='SomebodysMetric')])) == []
    assert metric_names(dict(test_evaluator=None)) == []


def test_a_misspelt_column_is_told_before_anything_runs(study: StudyFolder) -> None:
    study.tree['metrics'] = ['NDS', 'map', 'xyz']
    with pytest.raises(ValueError, match=r"^metrics: no run has 'map'; did you mean 'mAP'.*\n.*'xyz'; there"):
        verb.prepare(study.arguments())
