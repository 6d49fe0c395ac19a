"""Write into checkpoints what they are, and check those that are loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmdet3d.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel

from ..distributed.wrappers import unwrap_model
from .damage import check_finite_weights
from .fit import check_weights, without_wrapper_prefix
from .identity import META_KEY, check_identity, check_num_classes, identity_of
from .public_kinds import convention_unknown, conversion_advice, likely_kind

RESUMED = ('meta.epoch', 'meta.iter', 'message_hub', 'optimizer')


@HOOKS.register_module()
class CheckpointIdentityHook(Hook):
    """Write classes, range and box convention into checkpoints; refuse checkpoints that do not fit.

    Note:
        mmengine loads with ``strict=False`` and prints what did not match, so a run with half of its weights at
        random goes on. Here missing, unexpected and wrongly shaped weights are errors unless allowed.

    Args:
        allow_missing: Patterns (``*`` and ``?``) of weights that ``load_from`` need not bring, or may bring in another
            shape (other classes, queries, widths), such as ``'pts_bbox_head.*'`` for a pretrained backbone. They stay
            as at the start, and the log lists them. Not used when a run is resumed.
        allow_unexpected: Patterns of weights in the file that may be left over.
        ignore: Fields of the identity that may differ: ``classes``, ``point_cloud_range``, ``box_convention``. With
            ``box_convention`` files without any identity are loaded too, whose boxes may be wrong then.
    """

    # After hooks that exchange weights in the checkpoint (EMA: NORMAL), before the plain form is made (LOWEST).
    priority = 'LOW'

    def __init__(
        self, allow_missing: Sequence[str] = (), allow_unexpected: Sequence[str] = (), ignore: Sequence[str] = ()
    ) -> None:
        self.allow_missing = tuple(allow_missing)
        self.allow_unexpected = tuple(allow_unexpected)
        self.ignore = tuple(ignore)

    def before_run(self, runner: Runner) -> None:
        """Compare model and data before anything is loaded or trained."""
        check_num_classes(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Add the identity to the meta data."""
        checkpoint['meta'][META_KEY] = identity_of(runner)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Compare identity and weights with this run, before the run goes on.

        Raises:
            ValueError: If they differ, a weight is NaN or infinite, or the file brings a box head and does not say in
                which convention.
        """
        source = str(runner._load_from)
        require_state(checkpoint, source, RESUMED if runner._resume else ())
        if runner._resume:
            require_counts(checkpoint['meta'], source)
        model, weights = _loading_model(runner), without_wrapper_prefix(checkpoint.get('state_dict', checkpoint))
        meta = checkpoint.get('meta') or {}
        saved = meta.get(META_KEY)
        if saved is not None:
            check_identity(saved, identity_of(runner), source, self.ignore)
        else:
            self._check_anonymous(runner, source, weights, meta)
        allowed = ((), ()) if runner._resume else (self.allow_missing, self.allow_unexpected)
        fit = check_weights(model, weights, source, *allowed)
        for name in fit.shapes:  # mmengine loads the rest after this.
            checkpoint.get('state_dict', checkpoint).pop(name, None)
        if fit.kept:
            runner.logger.info(
                f'{len(fit.kept)} weights that {source} lacks, or has in another shape, are as at the start: '
                f'{", ".join(fit.kept)}'
            )
        check_finite_weights(weights, dict(model.named_parameters()), f'checkpoint {source}')

    def _check_anonymous(self, runner: Runner, source: str, weights: Mapping[str, Any], meta: dict[str, Any]) -> None:
        """Refuse weights of a box head from a file without identity; point out any other such file."""
        loaded = [name for name in unwrap_model(runner.model).state_dict() if name in weights]
        # Of a public distiller's file nothing fits a plain detector, but it needs the converter first all the same.
        names = weights if likely_kind(weights) == 'distiller' else loaded
        if 'box_convention' not in self.ignore and convention_unknown(names, meta):
            raise ValueError(
                f'checkpoint {source} cannot be loaded as it is: {conversion_advice(source, weights)}\n'
                "If it is in this package's conventions, say so with "
                'default_hooks.checkpoint_identity.ignore=[box_convention]'
            )
        runner.logger.warning(
            f'checkpoint {source} does not say which classes, range and box convention it was trained with; '
            'they are not checked'
        )


def require_state(checkpoint: Any, source: str, needed: Sequence[str]) -> None:
    """Refuse what is no checkpoint, and for a resume one without the state of the training.

    mmengine takes a file without optimizer state for one to go on from, with a fresh optimizer.

    Args:
        checkpoint: What the file holds.
        source: The file.
        needed: Entries, with a dot for those of an entry.

    Raises:
        ValueError: Says what was expected and found.
    """
    weights = checkpoint.get('state_dict', checkpoint) if isinstance(checkpoint, Mapping) else None
    if not isinstance(weights, Mapping) or not any(isinstance(value, torch.Tensor) for value in weights.values()):
        found = f'a {type(checkpoint).__name__}' if weights is None else 'no tensor by name'
        raise ValueError(f'checkpoint {source}: expected weights by name, found {found}; give another file')
    parts = {name: checkpoint.get(name.partition('.')[0]) for name in needed}
    missing = [
        name for name, part in parts.items()
        if not isinstance(part, Mapping) or ('.' in name and name.partition('.')[2] not in part)
    ]  # fmt: skip
    if missing:
        raise ValueError(
            f'checkpoint {source} cannot be resumed: expected the state of a training, found none of '
            f'{", ".join(missing)}. To begin a training with its weights, use --cfg-options load_from={source}'
        )


def require_counts(meta: Mapping[str, Any], source: str) -> None:
    """Refuse a training that is to go on after what is no number of iterations or epochs.

    Raises:
        ValueError: Says what was found.
    """
    for name in ('epoch', 'iter'):
        if type(meta[name]) is not int or meta[name] < 0:
            raise ValueError(
                f'checkpoint {source} cannot be resumed: meta.{name}: expected a whole number from 0 on, found '
                f'{meta[name]!r}. To begin a training with its weights, use --cfg-options load_from={source}'
            )


def _loading_model(runner: Runner) -> nn.Module:
    """Return what loads a whole state: the bare model, or the wrapper that gives each process its part of it."""
    return runner.model if isinstance(runner.model, FullyShardedDataParallel) else unwrap_model(runner.model)
