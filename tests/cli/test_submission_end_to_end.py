"""From a root without annotations to a file that the devkit's loader takes: data create, then test."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from cli_runs import Done, Run
from mmdet3d.registry import MODELS
from mmengine.registry import init_default_scope
from nuscenes import NuScenes
from nuscenes.eval.common.config import config_factory
from nuscenes.eval.common.loaders import load_prediction
from nuscenes.eval.detection.data_classes import DetectionBox

from bevdistill.checkpoints import BOX_CONVENTION, META_KEY

CONFIGS = Path(__file__).resolve().parents[2] / 'configs/synthetic/bevdistill'
SINGLE, HISTORY = 'bevdistill_r50_1x_nus-3d.py', 'bevdistill-t_convnext-b_trainval_nus-3d.py'


@pytest.fixture(scope='module')
def test_root(synthetic_roots: Callable[[str], Path]) -> Path:
    """A tiny v1.0-test: 2 scenes of 3 keyframes, no annotations."""
    return synthetic_roots('v1.0-test')


@pytest.fixture
def submit(test_root: Path, toy_folder: Path, run: Run) -> Run:
    """``submit(config, *words, more=())``: the verb test on the test split with an untrained distilled student."""
    from bevdistill.engine.launch import load_config

    words = ['nuscenes', '--root-path', test_root, '--version', 'v1.0-test', '--out-dir', toy_folder]
    assert run('data', 'create', *words).code == 0
    infos = toy_folder / 'nuscenes_infos_test.msgpack.gz'
    options = [
        'model.teacher_checkpoint=not there.pth',
        *(f'test_{part}data_root={test_root}' for part in ('dataloader.dataset.', 'evaluator.')),
        *(f'test_{part}ann_file={infos}' for part in ('dataloader.dataset.', 'evaluator.')),
        *('test_dataloader.num_workers=0', 'test_dataloader.persistent_workers=False'),
    ]

    def submit_with(config: str, *words: str, more: tuple[str, ...] = ()) -> Done:
        cfg = load_config(CONFIGS / config, {'model.teacher_checkpoint': 'not there.pth'})
        init_default_scope('mmdet3d')
        meta = {META_KEY: {'box_convention': BOX_CONVENTION}}
        torch.save({'state_dict': MODELS.build(cfg.model).state_dict(), 'meta': meta}, toy_folder / 'student.pth')
        command = [CONFIGS / config, 'student.pth', '--work-dir', 'run', *words, '--cfg-options', *options, *more]
        return run('test', *command)

    return submit_with


@pytest.mark.parametrize(
    ('config', 'more', 'boxes'),
    [
        (HISTORY, ('test_evaluator.class_range=50',), 100),
        # No centre lies there, so no sample has a box.
        (SINGLE, ('model.student.pts_bbox_head.coder.post_center_range=[900,900,0,999,999,1]',), 0),
    ],
)
def test_a_camera_student_submits_every_sample_without_reading_lidar(
    submit: Run,
    test_root: Path,
    toy_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    config: str,
    more: tuple[str, ...],
    boxes: int,
) -> None:
    monkeypatch.setattr('bevdistill.datasets.transforms.points.read_points', lambda *_: pytest.fail('LiDAR was read'))
    assert submit(config, '--format-only', more=more).code == 0
    path = toy_folder / 'run/predictions/pred_instances_3d/results_nusc.json'
    limit = config_factory('detection_cvpr_2019').max_boxes_per_sample
    submitted, meta = load_prediction(str(path), limit, DetectionBox)
    nusc = NuScenes('v1.0-test', str(test_root), verbose=False)
    assert set(submitted.sample_tokens) == {sample['token'] for sample in nusc.sample}
    assert len(nusc.sample_annotation) == 0
    assert meta == dict(use_camera=True, use_lidar=False, use_radar=False, use_map=False, use_external=False)
    assert {len(submitted[token]) for token in submitted.sample_tokens} == {boxes}
    assert set(json.loads(path.read_text())) == {'meta', 'results'}


def test_scoring_what_has_no_annotations_says_what_to_do(
    submit: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mmengine.runner import TestLoop

    monkeypatch.setattr(TestLoop, 'run', lambda loop: pytest.fail('predicted before the error'))
    done = submit(SINGLE)
    assert done.code == 1
    assert re.search(r"version 'v1\.0-test' have no public annotations .*test\.py .*--format-only", done.err)
