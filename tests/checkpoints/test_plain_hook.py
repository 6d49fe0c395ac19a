"""Every checkpoint loads with ``weights_only=True``, and a run resumes from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from toy_run import RANGE, build, toy_config, train


class OddInfo(Hook):
    """Puts arrays and objects where mmengine would pickle them."""

    def before_train(self, runner: Runner) -> None:
        runner.message_hub.update_info('array', np.arange(3))
        runner.message_hub.update_info('odd', object)
        runner.message_hub.update_info('not_kept', 1, resumed=False)


def test_checkpoint_is_plain_and_complete(tmp_path: Path) -> None:
    runner = train(toy_config(tmp_path, **{'train_cfg.max_epochs': 1}), OddInfo())
    checkpoint = torch.load(tmp_path / 'run/epoch_1.pth', weights_only=True)
    assert set(checkpoint) == {'meta', 'state_dict', 'message_hub', 'optimizer', 'param_schedulers'}
    assert checkpoint['meta']['bevdistill'] == dict(
        classes=['car', 'truck'], point_cloud_range=RANGE, box_convention='mmdet3d>=1.0'
    )
    hub = checkpoint['message_hub']
    assert 'odd' not in hub['runtime_info'] and 'not_kept' not in hub['resumed_keys']
    log = (Path(runner.log_dir) / f'{runner.timestamp}.log').read_text()
    assert 'left out of the checkpoint: message_hub.runtime_info.odd is a builtins.type' in log
    assert not list((tmp_path / 'run').glob('.*.part'))


def test_resume_brings_back_the_logs_without_warnings(tmp_path: Path) -> None:
    first = train(toy_config(tmp_path, **{'train_cfg.max_epochs': 1}), OddInfo())
    cfg = toy_config(tmp_path, **{'train_cfg.max_epochs': 2})
    cfg.load_from, cfg.resume = str(tmp_path / 'run/epoch_1.pth'), True
    second = train(cfg)
    np.testing.assert_array_equal(second.message_hub.get_info('array'), np.arange(3))
    old, new = (run.message_hub.get_scalar('train/loss').data[0] for run in (first, second))
    np.testing.assert_array_equal(new[: len(old)], old)
    log = (Path(second.log_dir) / f'{second.timestamp}.log').read_text()
    assert 'resumed epoch: 1, iter: 4' in log
    assert 'dataset metainfo' not in log and 'just skip' not in log


def test_state_that_cannot_be_saved_stops_the_run_before_the_first_step(tmp_path: Path) -> None:
    class Watch(Hook):
        def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
            raise AssertionError('a step was taken')

    runner = build(toy_config(tmp_path))
    runner.register_hook(Watch())
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.optim_wrapper.optimizer.param_groups[0]['odd'] = lambda: None
    with pytest.raises(ValueError, match=r'can be resumed: optimizer\.param_groups\.0\.odd is a builtins\.function'):
        runner.train()
