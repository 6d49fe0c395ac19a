"""mmengine's ``save_best`` on the names of the nuScenes metric: which of two results is the better one."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmdet3d.registry import METRICS
from mmengine.config import Config
from mmengine.hooks import CheckpointHook
from toy_run import REPO, ToyMetric, toy_config, train

from bevdistill.evaluation.nuscenes_summary import short_metrics

pytestmark = pytest.mark.usefixtures('one_thread')

CLASSES = ('car', 'barrier')
SUMMARY = dict(
    nd_score=0.4, mean_ap=0.3, mean_dist_aps=dict.fromkeys(CLASSES, 0.3),
    tp_errors=dict(trans_err=0.5, scale_err=0.2, orient_err=0.4, vel_err=1.0, attr_err=0.2),
    label_aps={name: {0.5: 0.1, 4.0: 0.4} for name in CLASSES},
)  # fmt: skip
NAMES = list(short_metrics(SUMMARY, CLASSES))


@METRICS.register_module()
class ScriptedMetric(ToyMetric):
    """The nuScenes metric's names with numbers by script: the second validation has the best NDS and the worst mATE."""

    default_prefix = 'nuscenes'

    def compute_metrics(self, results: list[float]) -> dict[str, float]:
        self.calls = getattr(self, 'calls', 0) + 1
        best = self.calls == 2
        return short_metrics(dict(SUMMARY, nd_score=0.5 if best else 0.4,
                                  tp_errors=dict(SUMMARY['tp_errors'], trans_err=0.9 if best else 0.5)), CLASSES)


@pytest.mark.parametrize('name', NAMES)
def test_every_metric_has_a_direction(name: str) -> None:
    hook = dict(Config.fromfile(REPO / 'configs/_base_/default_runtime.py').default_hooks.checkpoint)
    hook = {key: value for key, value in hook.items() if key not in ('type', 'save_best')}
    rule = CheckpointHook(**hook, save_best=f'nuscenes/{name}').rules
    assert rule == ['less' if name.endswith('E') else 'greater']
    assert CheckpointHook(**hook, save_best=f'NuScenes metric/pred_instances_3d_NuScenes/{name}').rules == rule


@pytest.mark.parametrize(('wanted', 'epoch'), [('auto', 2), ('nuscenes/NDS', 2), ('nuscenes/mATE', 1)])
def test_the_best_epoch_is_kept(tmp_path: Path, wanted: str, epoch: int) -> None:
    cfg = toy_config(tmp_path, **{'default_hooks.checkpoint.save_best': wanted, 'train_cfg.max_epochs': 3})
    cfg.val_evaluator = dict(type='ScriptedMetric')
    train(cfg)
    (best,) = (tmp_path / 'run').glob('best_*.pth')
    assert best.stem.endswith(f'epoch_{epoch}')
