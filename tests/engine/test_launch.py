"""From a config file to a run."""

from __future__ import annotations

from pathlib import Path

import mmengine.config.config
import pytest
import torch
from mmengine.config import Config
from toy_run import write_config

from bevdistill.engine import launch
from bevdistill.engine.launch import (
    build_runner,
    check_test_split,
    load_config,
    run_testing,
    run_training,
    set_amp,
    set_auto_scale_lr,
    set_format_only,
    set_resume,
    set_seed,
    set_show_dir,
)


def test_missing_config_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / 'bevformer_r50.py').touch()
    with pytest.raises(FileNotFoundError, match=r'no config file .*r51\.py; did you mean .*bevformer_r50\.py\?'):
        load_config(tmp_path / 'bevformer_r51.py')
    with pytest.raises(FileNotFoundError, match=r'the folder .*nowhere does not exist'):
        load_config(tmp_path / 'nowhere/a.py')


def test_work_dir(tmp_path: Path) -> None:
    file = write_config(tmp_path)
    assert load_config(file).work_dir == 'work_dirs/toy_epoch'
    assert load_config(file, work_dir=tmp_path / 'x').work_dir == str(tmp_path / 'x')
    file = write_config(tmp_path, extra="work_dir = 'own'\n")
    assert load_config(file).work_dir == 'own'


def test_text_of_a_config_is_a_config_and_takes_no_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # of what conftest.py does to the text
    file = write_config(tmp_path)
    cfg = load_config(file, {'model.num_classes': 2})
    assert cfg.filename == str(file)
    with monkeypatch.context() as patch:
        patch.setattr(mmengine.config.config, 'FormatCode', None)  # yapf, seconds for each text
        text = cfg.pretty_text
    assert Config.fromstring(text, '.py').to_dict() == cfg.to_dict()


def test_unknown_override(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no key 'model\.num_clases'; did you mean 'model\.num_classes'"):
        load_config(write_config(tmp_path), {'model.num_clases': 3})
    with pytest.raises(ValueError, match=r"'data_root' is a variable .*train_dataloader\.dataset\.dataset\.ann_file"):
        load_config(write_config(tmp_path), {'data_root': '/elsewhere/'})


def test_train_resume_and_test(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def config(epochs: int) -> Config:
        return load_config(write_config(tmp_path), {'train_cfg.max_epochs': epochs}, work_dir=tmp_path / 'run')

    cfg = config(1)
    set_resume(cfg, 'auto')
    assert 'no checkpoint in' in capsys.readouterr().out
    assert run_training(cfg).epoch == 1
    cfg = config(2)
    set_resume(cfg, 'auto')
    assert cfg.load_from.endswith('epoch_1.pth')
    assert run_training(cfg).iter == 8
    metrics = run_testing(config(2), str(tmp_path / 'run/epoch_2.pth'))
    assert list(metrics) == ['toy/mean']


def test_start_weights_survive_resume_auto_without_checkpoint(tmp_path: Path) -> None:
    cfg = load_config(write_config(tmp_path, extra="load_from = 'pretrained.pth'\n"), work_dir=tmp_path / 'run')
    set_resume(cfg, 'auto')
    assert cfg.load_from == 'pretrained.pth' and not cfg.resume
    with pytest.raises(FileNotFoundError, match=r'no checkpoint .*pretrained\.pth'):
        run_training(cfg)


def test_missing_checkpoints(tmp_path: Path) -> None:
    cfg = load_config(write_config(tmp_path), work_dir=tmp_path / 'run')
    with pytest.raises(FileNotFoundError, match=r'no checkpoint .*epoch_7\.pth'):
        set_resume(cfg, str(tmp_path / 'epoch_7.pth'))
    with pytest.raises(FileNotFoundError, match=r'no checkpoint .*epoch_7\.pth'):
        run_testing(cfg, str(tmp_path / 'epoch_7.pth'))


def test_checkpoint_with_objects_is_refused(tmp_path: Path) -> None:
    torch.save(dict(state_dict={}, meta=dict(odd=Path('x'))), tmp_path / 'odd.pth')
    with pytest.raises(ValueError, match='holds Python objects'):
        run_testing(load_config(write_config(tmp_path), work_dir=tmp_path / 'run'), str(tmp_path / 'odd.pth'))


def test_amp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = load_config(write_config(tmp_path))
    monkeypatch.setattr(launch, 'get_device', lambda: 'cpu')
    with pytest.raises(ValueError, match=r'--amp in float16 needs a GPU.*--amp bfloat16'):
        set_amp(cfg)
    set_amp(cfg, 'bfloat16')
    assert cfg.optim_wrapper.type == 'Bfloat16OptimWrapper'
    cfg.optim_wrapper.type = 'OptimWrapper'
    monkeypatch.setattr(launch, 'get_device', lambda: 'cuda')
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
    set_show_dir(cfg, 'b')
    assert cfg.default_hooks.visualization == dict(type='BEVVisualizationHook', interval=3, show_dir='b')


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
