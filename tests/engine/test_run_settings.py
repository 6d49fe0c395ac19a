"""What a run does beyond its config."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config
from toy_run import write_config

from bevdistill.engine import settings
from bevdistill.engine.launch import build_runner, load_config
from bevdistill.engine.settings import (
    check_test_split,
    set_amp,
    set_auto_scale_lr,
    set_format_only,
    set_pictures,
    set_seed,
)


def test_amp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = load_config(write_config(tmp_path))
    monkeypatch.setattr(settings, 'get_device', lambda: 'cpu')
    with pytest.raises(ValueError, match=r'float16 needs a GPU.*Train in float32, or in bfloat16'):
        set_amp(cfg)
    set_amp(cfg, 'bfloat16')
    assert cfg.optim_wrapper.type == 'Bfloat16OptimWrapper'
    cfg.optim_wrapper.type = 'OptimWrapper'
    monkeypatch.setattr(settings, 'get_device', lambda: 'cuda')
    for _ in range(2):
        set_amp(cfg)
        assert cfg.optim_wrapper.type == 'AmpOptimWrapper' and cfg.optim_wrapper.loss_scale == 'dynamic'
    cfg.optim_wrapper.type = 'OtherWrapper'
    with pytest.raises(ValueError, match="the config has 'OtherWrapper'"):
        set_amp(cfg)


@pytest.mark.parametrize(('batch', 'accumulated', 'expected'), [(2, 1, 2e-4 / 4), (4, 2, 2e-4), (32, 1, 8e-4)])
def test_the_rate_follows_the_samples_per_step(
    tmp_path: Path, batch: int, accumulated: int, expected: float
) -> None:
    """The schedule's rate is for 8 samples per step; the backbone has a tenth of it."""
    options = {'train_dataloader.batch_size': batch, '+optim_wrapper.accumulative_counts': accumulated}
    cfg = load_config(write_config(tmp_path), options, work_dir=tmp_path / 'run')
    set_auto_scale_lr(cfg)
    runner = build_runner(cfg)
    wrapper = runner.build_optim_wrapper(cfg.optim_wrapper)
    runner.scale_lr(wrapper, runner.auto_scale_lr)
    assert sorted({group['lr'] for group in wrapper.optimizer.param_groups}) == pytest.approx([expected / 10, expected])


def test_a_config_without_samples_per_step_cannot_scale(tmp_path: Path) -> None:
    cfg = load_config(write_config(tmp_path))
    cfg.auto_scale_lr = None
    with pytest.raises(ValueError, match=r'for how many samples per step .*base_batch_size=N'):
        set_auto_scale_lr(cfg)


def test_seed(tmp_path: Path) -> None:
    cfg = load_config(write_config(tmp_path))
    set_seed(cfg, 5)
    assert cfg.randomness == dict(seed=5, deterministic=False, diff_rank_seed=False)


def test_show_dir_keeps_the_hooks_own_settings() -> None:
    cfg = Config(dict(default_hooks=dict(visualization=dict(type='BEVVisualizationHook', interval=3, show_dir='a'))))
    set_pictures(cfg, show_dir='b', score_thr=0.4, vis_task=None)
    wanted = dict(type='BEVVisualizationHook', draw=True, interval=3, show_dir='b', score_thr=0.4)
    assert cfg.default_hooks.visualization == wanted


@pytest.mark.parametrize('as_list', [False, True])
def test_format_only(tmp_path: Path, as_list: bool) -> None:
    metric = dict(type='NuScenesMetric', ann_file='a.pkl')
    cfg = Config(dict(test_evaluator=[dict(type='ToyMetric'), metric] if as_list else metric, work_dir=str(tmp_path)))
    set_format_only(cfg)
    assert len(cfg.test_evaluator) == 1
    assert cfg.test_evaluator[0].format_only is True
    assert cfg.test_evaluator[0].jsonfile_prefix == str(tmp_path / 'predictions')
    cfg.test_evaluator = dict(type='ToyMetric')
    with pytest.raises(ValueError, match=r"needs a NuScenesMetric .* has \['ToyMetric'\]"):
        set_format_only(cfg)


@pytest.mark.parametrize('as_list', [False, True])
def test_split_of_data_and_evaluator(as_list: bool) -> None:
    metric = dict(type='BEVNuScenesMetric', ann_file='val.pkl')
    evaluator = [dict(type='ToyMetric'), metric] if as_list else metric
    cfg = Config(dict(test_dataloader=dict(dataset=dict(ann_file='/data/val.pkl')), test_evaluator=evaluator))
    check_test_split(cfg)
    cfg.test_dataloader.dataset.ann_file = 'test.pkl'
    key = 'test_evaluator.1' if as_list else 'test_evaluator'
    with pytest.raises(ValueError, match=rf'reads test\.pkl, but {key} expects .*val\.pkl; .* {key}\.ann_file=FILE'):
        check_test_split(cfg)
