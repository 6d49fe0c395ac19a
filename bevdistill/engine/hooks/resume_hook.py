"""Let a resumed run follow the learning rates and schedules of its own config."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any

from mmdet3d.registry import HOOKS
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

from ...for_people import counted
from ..optim import joined_groups
from .repeatable_run_hook import DONE_OF_EPOCH

PROGRESS = frozenset(('last_step', '_global_step', '_last_value', 'base_values', 'verbose', 'optimizer'))
"""What a scheduler's state has beside its settings; the base values are the optimizer's ``initial_*``."""

PER_GROUP = frozenset(('_last_value', 'base_values', 'min_values'))
"""What a scheduler's state has of each group, and at the end of the optimizer as a whole."""

STEP = 'processes_and_batch_size'
"""Entry of a checkpoint's meta data: how many samples a step takes."""

OF_ONE_KIND = ('betas', 'dampening', 'alpha', 'rho', 'lambd')
"""Settings by which the optimizers of torch are told apart: Adam's, SGD's, RMSprop's, Adadelta's, ASGD's."""


@HOOKS.register_module()
class ResumeHook(Hook):
    """Compare optimizer and schedules of a checkpoint with those of the config that resumes it.

    Where they are the same, the run goes on with the checkpoint's state, bit for bit. Where they differ (another
    learning rate, a longer schedule), rates, momenta and weight decay are those that this config has at the iteration
    reached: as if it had been in force from the first one. The log names what differs.

    Checkpoints of earlier releases have a group of each parameter; they are joined as those of this run are.

    Checkpoints carry the number of processes and the batch size. With others a run by iterations goes on at its
    iteration, in the data where a run with these numbers would be; a run by epochs goes on at its epoch, and the
    iteration reached is counted in epochs of this run's length. The learning rate is that of the config.

    Note:
        mmengine takes both from the checkpoint, so that a new rate or end changes nothing. It also runs the text of a
        config in ``meta['config']``, which old checkpoints have; it is dropped.
    """

    # After PlainCheckpointHook, which comes before it in the config, has turned plain forms back.
    priority = 'LOWEST'

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Note how many samples a step takes."""
        checkpoint['meta'][STEP] = _samples_of_step(runner)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Change the state of optimizer and schedulers in the checkpoint, before the runner loads it.

        Raises:
            ValueError: If the optimizer's state cannot go on: another optimizer, other groups of parameters, or a
                schedule that depends on validations.
        """
        wrapper = getattr(runner, 'optim_wrapper', None)
        checkpoint.get('meta', {}).pop('config', None)
        saved = checkpoint.get('optimizer', {}).get('param_groups')
        # Not the wrapper's own list, which ends with the settings of the optimizer as a whole.
        own = getattr(getattr(wrapper, 'optimizer', None), 'param_groups', None)
        if not runner._resume or not isinstance(saved, list) or not isinstance(own, list):
            return
        schedulers = runner.param_schedulers if isinstance(runner.param_schedulers, list) else []
        states = checkpoint.get('param_schedulers', [])
        _join(saved, states, len(own))
        _check_groups(saved, own)
        _compare_steps(runner, checkpoint['meta'])
        place = list(_recount(runner, checkpoint))
        found = [*place, *_group_differences(saved, own), *_schedule_differences(states, schedulers)]
        if not found:
            return
        if any(getattr(scheduler, 'need_val_args', False) for scheduler in schedulers):
            raise ValueError(
                f'cannot resume with other settings than the checkpoint has ({"; ".join(found)}): a schedule that '
                'follows validations cannot be repeated. Start a new run from its weights with load_from'
            )
        replay(schedulers, checkpoint['meta']['iter'], checkpoint['meta']['epoch'])
        for old, new in zip(saved, own, strict=True):
            old.update({key: value for key, value in new.items() if key != 'params'})
        if wrapper is not None and 'base_param_settings' in checkpoint['optimizer']:
            checkpoint['optimizer']['base_param_settings'] = dict(wrapper.base_param_settings)
        checkpoint['param_schedulers'] = [scheduler.state_dict() for scheduler in schedulers]
        runner.logger.info(
            f'this config differs from the checkpoint: {"; ".join(found)}. Rates and schedules are those of this '
            f'config at iteration {checkpoint["meta"]["iter"]}'
        )


def _join(saved: list[Any], states: Sequence[dict[str, Any]], number: int) -> None:
    """Join the groups of a checkpoint, and what its schedules hold of each, where that gives so many; in place."""
    joined = joined_groups(saved)
    if len(joined) != number or len(saved) == number:
        return
    firsts = [[group['params'][0] for group in saved].index(group['params'][0]) for group in joined]
    for state in states:
        for key in PER_GROUP & state.keys():
            state[key] = [*(state[key][place] for place in firsts), *state[key][len(saved) :]]
    saved[:] = joined


def _samples_of_step(runner: Runner) -> list[int]:
    """Return the number of processes and the batch size of each."""
    return [get_world_size(), getattr(runner.train_loop.dataloader.batch_sampler, 'batch_size', 1)]


def _compare_steps(runner: Runner, meta: Mapping[str, Any]) -> None:
    """Say where the checkpoint's steps took another number of processes or samples."""
    before, now = meta.get(STEP), _samples_of_step(runner)
    if not isinstance(before, list) or before == now:
        return
    words = [f'{counted(processes, "process")} with a batch of {batch}' for processes, batch in (before, now)]
    runner.logger.warning(
        f'the checkpoint is of {words[0]}, this run has {words[1]}: a step takes {prod(now)} samples in place of '
        f'{prod(before)}, the rest of the run is not that of the other bit for bit, and the learning rate follows the '
        'number of samples only with --auto-scale-lr'
    )


def _recount(runner: Runner, checkpoint: dict[str, Any]) -> Iterator[str]:
    """Count the iterations of a checkpoint in epochs of this run's length, and say so where that is another."""
    loop, meta = runner.train_loop, checkpoint['meta']
    if not isinstance(loop, EpochBasedTrainLoop) or not meta['epoch']:
        return
    hub = checkpoint.get('message_hub', {}).get('runtime_info', {})
    done, length = hub.get(DONE_OF_EPOCH, 0), len(loop.dataloader)
    before = (meta['iter'] - done) / meta['epoch']
    if before != length:
        yield f'iterations of an epoch {before:g} -> {length}'
        done = round(done * length / before)
        meta['iter'] = meta['epoch'] * length + done
        if DONE_OF_EPOCH in hub:
            hub[DONE_OF_EPOCH] = done


def replay(schedulers: Sequence[Any], iterations: int, epochs: int) -> None:
    """Step fresh schedulers as so many iterations and epochs do."""
    by_iter = [scheduler for scheduler in schedulers if not scheduler.by_epoch]
    by_epoch = [scheduler for scheduler in schedulers if scheduler.by_epoch]
    length = iterations // epochs if epochs else 0
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # Of steps of a schedule without one of the optimizer.
        for iteration in range(1, iterations + 1):
            for scheduler in by_iter:
                scheduler.step()
            for scheduler in by_epoch if length and iteration % length == 0 else ():
                scheduler.step()


def _check_groups(saved: Sequence[Mapping[str, Any]], own: Sequence[Mapping[str, Any]]) -> None:
    sizes = [[len(group['params']) for group in groups] for groups in (saved, own)]
    if sizes[0] != sizes[1]:
        raise ValueError(
            f'cannot resume: the checkpoint has {len(saved)} groups of {sum(sizes[0])} parameters, this config '
            f'{len(own)} of {sum(sizes[1])}: paramwise_cfg, frozen parts or the model differ. Resume with the config '
            'of the checkpoint, or start a new run from its weights with load_from'
        )
    kinds = [{name for name in OF_ONE_KIND if name in groups[0]} for groups in (saved, own)]
    missing = sorted(kinds[0] ^ kinds[1])
    if missing:
        raise ValueError(
            f'cannot resume: the optimizer of the checkpoint is of another kind than that of this config, only one has '
            f'{missing}. Resume with optim_wrapper.optimizer.type as it was, or start a new run from its weights with '
            'load_from'
        )


def _settings(group: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a group without what a schedule moves."""
    moved = {key.removeprefix('initial_') for key in group if key.startswith('initial_')}
    moved |= {'betas', 'momentum'} if 'momentum' in moved else set()
    return {key: value for key, value in group.items() if key not in moved and key not in ('params', 'param_names')}


def _group_differences(saved: Sequence[Mapping[str, Any]], own: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    seen = set()
    for old, new in zip(saved, own, strict=True):
        before, after = _settings(old), _settings(new)
        for key in sorted(before.keys() & after.keys()):  # Other releases of torch have further ones.
            text = f'{key.removeprefix("initial_")} {before[key]} -> {after[key]}'
            if _plain(before[key]) != _plain(after[key]) and text not in seen:
                seen.add(text)
                yield text


def _schedule_differences(saved: Sequence[Mapping[str, Any]], own: Sequence[Any]) -> Iterator[str]:
    if len(saved) != len(own):
        yield f'{counted(len(saved), "schedule")} -> {len(own)}'
        return
    for old, scheduler in zip(saved, own, strict=True):
        new = scheduler.state_dict()
        for key in sorted((old.keys() | new.keys()) - PROGRESS):
            if _plain(old.get(key)) != _plain(new.get(key)):
                yield f'{type(scheduler).__name__} {key} {old.get(key)} -> {new.get(key)}'


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
