"""Log, while a distiller trains, how the student follows its teacher and which loss moves its map."""

from __future__ import annotations

import math
from collections import deque
from functools import partial
from typing import Any

import torch
from mmdet3d.registry import HOOKS, MODELS, TASK_UTILS
from mmdet3d.structures import Det3DDataSample
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor
from torch.distributed.fsdp import FullyShardedDataParallel

from ...detection.hungarian import UNMATCHED
from ...distillers import BEVDistiller, as_float32
from ...distillers.diagnosis import effective_numbers, gradient_norms, map_agreement, matched_distances, score_gaps
from ...distributed.wrappers import unwrap_model
from ...losses import InstanceDistillLoss
from ...structures import BEVOutputs, Targets, has_labels

PREFIX = 'diagnose'
SHARE = f'{PREFIX}/gradient_share/'
Ratio = tuple[Tensor, Tensor]


@HOOKS.register_module()
class DiagnoseDistillation(Hook):
    """Measure every `interval`-th step of a distiller, and write it to the log and the visualizer's back ends.

    What there is of the following, over the samples of all ranks; docs/diagnosis.md tells how to read it.

    * ``diagnose/cka_bev``: agreement of the BEV maps of student and teacher, :func:`.diagnosis.map_agreement`.
    * ``diagnose/matched_distance_m``: mean distance on the ground of student boxes to the teacher boxes that they are
      paired with, by the pairing of the first :class:`.InstanceDistillLoss`, else that of detection's own matching.
    * ``diagnose/score_gap``, ``diagnose/score_gap_teacher``: mean score less share of right boxes, of boxes that score
      at least `score_threshold`, :func:`.diagnosis.score_gaps`; frames without labels are left out.
    * ``diagnose/gradient_share/<term>``: norm of the term's gradient on the student's BEV map, as a share of the sum of
      all terms' norms, :func:`.diagnosis.gradient_norms`. Left out where the map's gradients cannot be had apart: in a
      sharded model, or with compiled parts behind the map.
    * ``diagnose/dead_queries``: share of the student's queries that in the last `window` measured steps were matched to
      no object and never scored `score_threshold`; from the `window`-th on.
    * ``diagnose/effective_weights``: how many pairs of a sample would count as much with equal weights, ``(sum w)^2 /
      sum w^2`` of the quality weights of the first :class:`.InstanceDistillLoss`.

    The training is the same with and without it, bit for bit: nothing is drawn and no gradient is accumulated. Other
    steps cost nothing, and models that are no distillers are left alone.

    Args:
        interval: Measure each such iteration; -1 measures none.
        score_threshold: Score from which a box counts.
        window: Measured steps that a query may be idle.

    Raises:
        ValueError: If `interval` or `window` is out of range.
    """

    priority = 'NORMAL'

    def __init__(self, interval: int = 50, score_threshold: float = 0.1, window: int = 10) -> None:
        if (interval < 1 and interval != -1) or window < 1:
            raise ValueError(
                f'interval must be at least 1, or -1 for never, and window at least 1, got {interval} and {window}'
            )
        self.interval = interval
        self.score_threshold = score_threshold
        self._model: BEVDistiller | None = None
        self._used: deque[Tensor] = deque(maxlen=window)
        self._ratios: dict[str, Ratio] = {}
        self._shares = True

    def before_train(self, runner: Runner) -> None:
        """Find out whether there is something to measure."""
        model = unwrap_model(runner.model)
        self._model = model if isinstance(model, BEVDistiller) and model.losses and self.interval > 0 else None
        self._used.clear()
        if self._model is None:
            return
        self._matcher = TASK_UTILS.build(dict(type='HungarianMatcher'))
        sparse = [loss for loss in self._model.losses.values() if isinstance(loss, InstanceDistillLoss)]
        self._sparse = sparse[0] if sparse else None
        self._pairing = self._sparse.pairing if self._sparse else MODELS.build(dict(type='GroundTruthPairing'))
        hindrance = _hindrance(runner, self._model)
        self._shares = not hindrance
        if hindrance:
            runner.logger.info(f'{SHARE}* are not measured: {hindrance}')

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Listen to the step if it is to be measured."""
        if self._model is not None and self.every_n_train_iters(runner, self.interval):
            self._model.step_listener = partial(self._measure, runner)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Write what was measured."""
        if self._model is None or self._model.step_listener is None:
            return
        self._model.step_listener = None
        values = {f'{PREFIX}/{name}': value for name, value in self._fetch().items() if math.isfinite(value)}
        shown = ', '.join(f'{name.removeprefix(f"{PREFIX}/")} {value:.3g}' for name, value in values.items())
        runner.logger.info(f'{PREFIX}: {shown}')
        runner.visualizer.add_scalars(values, step=runner.iter + 1, file_path=f'{runner.timestamp}.json')

    def _measure(
        self,
        runner: Runner,
        student: BEVOutputs,
        teacher: BEVOutputs,
        samples: list[Det3DDataSample],
        losses: dict[str, Tensor],
    ) -> None:
        """Keep sums and numbers of what is to be averaged, on the device."""
        assert self._model is not None
        taps, places = self._model.teacher.taps, [place for place, sample in enumerate(samples) if has_labels(sample)]
        ratios: dict[str, Ratio] = {}
        with torch.no_grad(), torch.autocast(student.bev.device.type, enabled=False):
            outputs, targets = as_float32(student), Targets.from_samples(samples, student.bev.device)
            if 'bev' in taps:
                agreement = map_agreement(outputs, teacher)
                ratios['cka_bev'] = agreement.nan_to_num(), agreement.isfinite()
            ratios['score_gap'] = score_gaps(outputs, targets, places, self.score_threshold)
            if 'logits' in taps:
                ratios['score_gap_teacher'] = score_gaps(teacher, targets, places, self.score_threshold)
                pairing = self._pairing(outputs, teacher, targets, slice(-1, None))
                ratios['matched_distance_m'] = matched_distances(outputs, pairing)
                if self._sparse is not None:
                    weights = self._sparse.quality(pairing.teacher_boxes, targets).numerator
                    ratios['effective_weights'] = effective_numbers(weights, pairing.matched[-1])
            self._used.append(self._busy(outputs, targets))
        if self._shares:
            scaler = getattr(runner.optim_wrapper, 'loss_scaler', None)
            scale = scaler.get_scale() if isinstance(scaler, torch.amp.GradScaler) else 1.0
            norms = gradient_norms(losses, student.bev, scale)
            total = torch.stack(list(norms.values())).sum()
            ratios |= {f'{SHARE.partition("/")[2]}{name}': (norm, total) for name, norm in norms.items()}
        self._ratios = ratios

    def _busy(self, student: BEVOutputs, targets: Targets) -> Tensor:
        """Tell which queries are matched to an object of the batch or score enough, (Q,)."""
        matched_BQ = self._matcher.match(student.logits[-1:], student.codes[-1:], targets)[0] != UNMATCHED
        scores_BQ = student.logits[-1].sigmoid().amax(dim=-1) >= self.score_threshold
        return (matched_BQ | scores_BQ).any(dim=0)

    def _fetch(self) -> dict[str, float]:
        """Sum over ranks and bring the results to the host, in one transfer each."""
        ratios, self._ratios = self._ratios, {}
        parts = [part.float().reshape(1) for ratio in ratios.values() for part in ratio]
        flat = torch.cat((*parts, torch.stack(list(self._used)).any(dim=0).float()))
        all_reduce(flat)
        numbers = flat.tolist()
        pairs = zip(ratios, numbers[: len(parts) : 2], numbers[1 : len(parts) : 2], strict=True)
        values = {name: total / count if count else math.nan for name, total, count in pairs}
        if len(self._used) == self._used.maxlen:
            busy = numbers[len(parts) :]
            values['dead_queries'] = busy.count(0.0) / len(busy)
        return values


def _hindrance(runner: Runner, model: BEVDistiller) -> str:
    """Say why parts of the graph cannot be walked twice; empty if they can."""
    if isinstance(runner.model, FullyShardedDataParallel):
        return 'the model is sharded'
    behind = [getattr(model.student, 'pts_bbox_head', model.student), model.losses]
    if any(module._compiled_call_impl is not None for part in behind for module in part.modules()):
        return 'a part of the head or of a loss is compiled, which keeps its graph for one backward pass'
    return ''
