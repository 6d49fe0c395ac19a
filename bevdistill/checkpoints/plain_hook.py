"""Save checkpoints of plain data only."""

from __future__ import annotations

from typing import Any

from mmdet3d.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from .plain_data import NotPlainError, from_plain, to_plain


@HOOKS.register_module()
class PlainCheckpointHook(Hook):
    """Write checkpoints that ``torch.load(weights_only=True)`` can read, and turn them back when loading.

    Note:
        torch >= 2.6 refuses what is not plain by default, and mmengine 0.10.7 saves its log histories as objects:
        without this hook ``resume`` fails. With ``torch.serialization.safe_globals`` every reader would have to list
        mmengine's classes; plain files open everywhere.

    Log values and meta data without a plain form are left out with a warning. State of the optimizer and of
    schedulers must not be lost: its absence of a plain form stops the run before the first step.
    """

    # Lowest: what other hooks put into a checkpoint has to pass through here as well.
    priority = 'LOWEST'

    def before_train(self, runner: Runner) -> None:
        """Convert once what must be saved, so that a run fails now and not at its first checkpoint."""
        for name, schedulers in _named_schedulers(runner.param_schedulers):
            for index, scheduler in enumerate(schedulers):
                _must_be_plain(scheduler.state_dict(), f'param_schedulers{name}.{index}')
        _must_be_plain(runner.optim_wrapper.state_dict(), 'optimizer')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Replace every entry by its plain form."""
        hub = checkpoint.get('message_hub', {})
        for part in ('log_scalars', 'runtime_info'):
            if part in hub:
                hub[part] = _plain_entries(runner, hub[part], f'message_hub.{part}')
        if 'resumed_keys' in hub:
            # Keys that are not saved would only draw a warning each when the run is resumed.
            saved = {*hub['log_scalars'], *hub['runtime_info']}
            hub['resumed_keys'] = {key: bool(flag) for key, flag in hub['resumed_keys'].items() if key in saved}
        checkpoint['meta'] = _plain_entries(runner, checkpoint.get('meta', {}), 'meta')
        for key in [key for key in checkpoint if key not in ('meta', 'message_hub')]:
            checkpoint[key] = _must_be_plain(checkpoint[key], key)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Replace plain forms by the objects that mmengine expects."""
        for key in [key for key in checkpoint if key != 'state_dict']:
            checkpoint[key] = from_plain(checkpoint[key])
        _reuse_dataset_meta(runner, checkpoint.get('meta'))


def _named_schedulers(schedulers: Any) -> list[tuple[str, list[Any]]]:
    if isinstance(schedulers, dict):
        return [(f'.{name}', entries) for name, entries in schedulers.items()]
    return [('', schedulers or [])]


def _must_be_plain(value: Any, where: str) -> Any:
    try:
        return to_plain(value, where)
    except NotPlainError as error:
        raise ValueError(
            f'cannot save a checkpoint that can be resumed: {error}. Give the optimizer or scheduler a state of '
            'numbers, strings, lists, dicts and tensors'
        ) from error


def _plain_entries(runner: Runner, entries: dict[str, Any], where: str) -> dict[str, Any]:
    plain = {}
    for key, value in entries.items():
        try:
            plain[key] = to_plain(value, f'{where}.{key}')
        except NotPlainError as error:
            runner.logger.warning(f'left out of the checkpoint: {error}')
    return plain


def _reuse_dataset_meta(runner: Runner, meta: Any) -> None:
    """Replace equal dataset meta data by the dataset's own: mmengine compares pickles, which can differ."""
    loop = runner._train_loop
    if not isinstance(meta, dict) or not isinstance(loop, BaseLoop):
        return
    own = getattr(loop.dataloader.dataset, 'metainfo', None)
    try:
        if repr(to_plain(own, 'metainfo')) == repr(to_plain(meta.get('dataset_meta'), 'dataset_meta')):
            meta['dataset_meta'] = own
    except NotPlainError:
        return
