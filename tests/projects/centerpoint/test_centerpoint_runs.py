"""The CPU-sized CenterPoint trains alone and is scored; a student learns its heatmap."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from mmengine.config import Config
from tiny_runs import tiny_config, train

import bevdistill  # noqa: F401

CONFIGS = Path(__file__).resolve().parents[3] / 'projects' / 'centerpoint' / 'configs' / 'synthetic'


@pytest.mark.usefixtures('one_thread')
def test_teacher_trains_and_a_student_learns_from_its_checkpoint(
    synthetic_root: Path, synthetic_infos: Path, tmp_path: Path
) -> None:
    alone, distilled = (
        tiny_config(
            CONFIGS / f'{name}_nus-3d.py', 1, synthetic_root, synthetic_infos, tmp_path / name,
            {'train_dataloader.batch_size': 2},
        )
        for name in ('centerpoint_pillar02_cbgs_20e', 'centerpoint-heatmap_r50_1x')
    )
    recorder = train(alone)
    assert len(recorder.losses) == 1
    assert all(map(math.isfinite, recorder.losses))
    assert 0 <= recorder.runner.test()['nuscenes/NDS'] <= 1
    (checkpoint,) = (tmp_path / 'centerpoint_pillar02_cbgs_20e').glob('iter_1.pth')

    # It says what it was trained with, so that it need not be trusted.
    distilled.model.update(teacher_checkpoint=str(checkpoint), trust_teacher=False)
    recorder = train(distilled)
    assert all(map(math.isfinite, recorder.losses))
    assert {'distill.dense.loss', 'distill.heatmap.loss'} <= recorder.names


def test_the_twin_with_few_labels_differs_in_the_data_alone() -> None:
    ordinary, few = (
        Config.fromfile(str(CONFIGS / f'centerpoint-heatmap_r50_1x{words}_nus-3d.py')).to_dict()
        for words in ('', '_few-labels')
    )
    assert few['model'] == ordinary['model']
    loaders = [config['train_dataloader'] for config in (ordinary, few)]
    wrapper = loaders[1]['dataset'].pop('dataset')
    assert wrapper.pop('dataset') == loaders[0]['dataset'].pop('dataset')
    assert wrapper == dict(type='PartlyLabelledDataset', labelled=0.125, seed=0, keep='labelled')
    assert loaders[0] == loaders[1]
