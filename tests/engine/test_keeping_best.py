"""Keys and rules of what follows a metric are checked before the first step."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.hooks import CheckpointHook, EarlyStoppingHook

from bevdistill.engine.keeping_best import check_best_keys, settle_best

KEYS = dict(greater_keys=['NDS', 'AP'], less_keys=['mATE'])


def config(checkpoint: dict[str, Any], *hooks: dict[str, Any], **others: Any) -> Config:
    default = dict(checkpoint=dict(type='CheckpointHook', **KEYS, **checkpoint))
    return Config(dict(default_hooks=default, custom_hooks=list(hooks), val_cfg={}) | others)


@pytest.mark.parametrize(
    ('best', 'rule'),
    [
        ('nuscenes/NDS', 'greater'), ('nuscenes/mATE', 'less'), ('auto', None),
        (['nuscenes/NDS', 'nuscenes/mATE'], ['greater', 'less']),
    ],
)  # fmt: skip
def test_rules_of_the_best_checkpoint(best: Any, rule: Any) -> None:
    cfg = config(dict(save_best=best))
    settle_best(cfg)
    hook = {key: value for key, value in cfg.default_hooks.checkpoint.items() if key != 'type'}
    assert hook['rule'] == rule
    CheckpointHook(**hook)


def test_early_stopping_knows_the_rules_too() -> None:
    cfg = config({}, dict(type='EarlyStoppingHook', monitor='nuscenes/NDS'), dict(type='Other'))
    settle_best(cfg)
    assert EarlyStoppingHook(monitor='nuscenes/NDS', rule=cfg.custom_hooks[0].rule).rule == 'greater'


@pytest.mark.parametrize(
    ('cfg', 'message'),
    [
        (config(dict(save_best='loss_x')), r"is more of \['loss_x'\] better, .* default_hooks\.checkpoint\.rule"),
        (config(dict(save_best='a', rule='more')), r"must be 'greater' or 'less', got \['more'\]"),
        (config(dict(save_best=['a'], rule=['less', 'less'])), 'has 1 metrics and 2 rules'),
        (config({}, dict(type='EarlyStoppingHook', monitor='x')), r'custom_hooks\.0\.rule=greater or less'),
        (config(dict(save_best='auto'), val_cfg=None), r"follows \['auto'\], but this run has no validation"),
    ],
)
def test_mistakes(cfg: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        settle_best(cfg)


def runner(cfg: Config, *metrics: Any) -> Any:
    return SimpleNamespace(cfg=cfg, val_loop=SimpleNamespace(evaluator=SimpleNamespace(metrics=metrics)))


def test_keys_are_compared_with_what_is_reported() -> None:
    metric = SimpleNamespace(prefix='nuscenes', result_names=lambda: ['NDS', 'car_AP'])
    for best in ('nuscenes/car_AP', 'auto', None):
        check_best_keys(runner(config(dict(save_best=best)), metric))
    wrong = config(dict(save_best='nuscenes/NSD'))
    with pytest.raises(ValueError, match=r"no metric 'nuscenes/NSD'; did you mean 'nuscenes/NDS'\? There"):
        check_best_keys(runner(wrong, metric))
    check_best_keys(runner(wrong, metric, SimpleNamespace(prefix='other')))
