"""There is a whole checkpoint at every moment, and no file too many in the end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.registry import HOOKS, init_default_scope
from mmengine.runner import Runner
from toy_run import toy_config, train

from bevdistill.checkpoints import safe_hook
from bevdistill.checkpoints.find import latest_checkpoint
from bevdistill.checkpoints.safe_hook import SafeCheckpointHook

KEEP_ONE = {'default_hooks.checkpoint.interval': 3, 'default_hooks.checkpoint.max_keep_ckpts': 1}


class Killed(BaseException):
    """What ends the run."""


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in (folder / 'run').iterdir() if file.is_file() and '.p' in file.name[1:])


def resumed(folder: Path, **changes: Any) -> Runner:
    cfg = toy_config(folder, by_iter=True, **KEEP_ONE, **changes)
    cfg.resume, cfg.load_from = True, latest_checkpoint(cfg.work_dir)
    return train(cfg)


@pytest.mark.parametrize('when', ['written', 'renamed', 'removed'])
def test_killed_at_any_point_of_a_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    """Killed while the second of four checkpoints replaces the first."""
    saves, real = [], os.replace

    def replace(aside: str, target: Path) -> None:
        if str(target).endswith('.pth'):
            saves.append(target)
            if len(saves) == 2 and when == 'written':
                Path(aside).with_name('.iter_6.pth.x.part').write_bytes(b'half')
                raise Killed
        real(aside, target)
        if len(saves) == 2 and when == 'renamed' and str(target).endswith('.pth'):
            raise Killed

    monkeypatch.setattr(os, 'replace', replace)
    if when == 'removed':
        monkeypatch.setattr(safe_hook, '_remove', lambda path: (_ for _ in ()).throw(Killed))
    with pytest.raises(Killed):
        train(toy_config(tmp_path, by_iter=True, **KEEP_ONE))
    monkeypatch.undo()
    assert latest_checkpoint(tmp_path / 'run') == str(
        tmp_path / 'run' / ('iter_3.pth' if when == 'written' else 'iter_6.pth')
    )
    assert 'iter_3.pth' in files(tmp_path)
    resumed(tmp_path)
    assert [name for name in files(tmp_path) if name.endswith(('.pth', '.part'))] == ['iter_12.pth']


def test_best_checkpoint_is_kept_until_the_better_one_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, real = [], os.replace

    def replace(aside: str, target: Path) -> None:
        real(aside, target)
        seen.append([name for name in files(tmp_path) if name.startswith('best')])

    monkeypatch.setattr(os, 'replace', replace)
    scores = iter([1.0, 2.0, 1.5, 3.0])
    monkeypatch.setattr('toy_run.ToyMetric.compute_metrics', lambda *_: dict(mean=next(scores)))
    best = {'default_hooks.checkpoint.save_best': 'toy/mean', 'default_hooks.checkpoint.rule': 'greater'}
    train(toy_config(tmp_path, **best))
    assert max(map(len, seen)) == 2, 'old and new are there for a moment'
    assert all(names for names in seen[1:])
    assert [name for name in files(tmp_path) if name.startswith('best')] == ['best_toy_mean_epoch_4.pth']


def test_configs_that_name_mmengines_hook_get_it() -> None:
    init_default_scope('mmdet3d')
    hook = HOOKS.build(dict(type='CheckpointHook', interval=1))
    assert isinstance(hook, SafeCheckpointHook)


def test_nan_weights_are_refused_when_loaded(tmp_path: Path) -> None:
    train(toy_config(tmp_path, by_iter=True, **KEEP_ONE))
    file = tmp_path / 'run' / 'iter_12.pth'
    content = torch.load(file)
    content['state_dict']['head.1.weight'][0, 0] = torch.nan
    torch.save(content, file)
    with pytest.raises(ValueError, match=r'iter_12\.pth has weights that are NaN or infinite: head\.1\.weight\. Use'):
        resumed(tmp_path)
