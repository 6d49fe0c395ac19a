"""Facts about a config as plain values, by hand for a small detector."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from torch import nn

import bevdistill  # noqa: F401
from bevdistill.apis import model_facts
from bevdistill.apis.flops import FrameFlops
from bevdistill.apis.model_facts import describe, sensors_of, trained_parts

TWINS = Path(__file__).resolve().parents[2] / 'configs' / 'synthetic'
DISTILLED = TWINS / 'bevdistill' / 'bevdistill_r50_1x_nus-3d.py'


def test_parts_are_those_with_something_to_learn() -> None:
    """The head and its transformer are split further, other parts are not."""
    detector = nn.ModuleDict(dict(
        backbone=nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)),
        pool=nn.AvgPool2d(2),
        pts_bbox_head=nn.ModuleDict(dict(
            branches=nn.Linear(2, 2), loss=nn.Identity(),
            transformer=nn.ModuleDict(dict(decoder=nn.Sequential(nn.Linear(2, 2)))),
        )),
    ))  # fmt: skip
    assert [name for name, _ in trained_parts(detector)] == [
        '', 'backbone', 'pts_bbox_head', 'pts_bbox_head.branches', 'pts_bbox_head.transformer',
        'pts_bbox_head.transformer.decoder',
    ]  # fmt: skip


@pytest.mark.parametrize(('parts', 'image', 'points'), [
    (('img_backbone',), (64, 96), False), (('pts_voxel_encoder',), None, True),
    (('img_backbone', 'pts_voxel_encoder'), (64, 96), True),
])  # fmt: skip
def test_sensors_follow_the_parts(parts: tuple[str, ...], image: tuple[int, int] | None, points: bool) -> None:
    cfg = Config(dict(test_dataloader=dict(dataset=dict(pipeline={}))))
    sensors = sensors_of(cfg, nn.ModuleDict({part: nn.Identity() for part in parts}), (64, 96))
    assert sensors.image_size == image
    assert bool(sensors.points) == points


def test_a_distiller_that_names_no_teacher_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is run and nothing read; what is said before each count names the side."""
    counted: list[Any] = []

    def count(detector: nn.Module, preprocessor: nn.Module, sensors: Any) -> FrameFlops:
        counted.append(sensors)
        return FrameFlops({'': 7}, None, [])

    monkeypatch.setattr(model_facts, 'count_flops', count)
    cfg = Config.fromfile(DISTILLED)
    assert cfg.model.get('teacher_checkpoint') is None
    sides: list[str] = []
    facts = describe(cfg, (64, 96), before_flops=sides.append)
    assert sides == list(facts['sides']) == ['student', 'teacher']
    assert [sensors.image_size for sensors in counted] == [(64, 96), None]
    assert facts['sides']['teacher']['flops'] == dict(by_module={'': 7}, image=None, not_counted=[])
    assert facts['teacher_checkpoint'] is None
    assert cfg.model.get('teacher_checkpoint') is None, 'the config given stays as it is'
    assert json.loads(json.dumps(facts))['losses'] == facts['losses']
    assert 'flops' not in describe(cfg, (64, 96), flops=False)['sides']['student']
