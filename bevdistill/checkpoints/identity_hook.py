"""Checkpoints that say what they are, and a check of what is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from mmdet3d.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel

from ..distributed.wrappers import bare_model
from .foreign_file import weights_below
from .identity import check_identity, check_num_classes, identity_of
from .meta import META_KEY
from .public_kinds import convention_unknown, conversion_advice, likely_kind

_EXPORT = 'tools/model_converters/export_student.py'


@HOOKS.register_module()
class CheckpointIdentityHook(Hook):
    """Write classes, range and box convention into checkpoints; refuse checkpoints that do not fit.

    Note:
        mmengine loads with ``strict=False`` and prints what did not match, so a run with half of its weights at
        random goes on. Here missing, unexpected and wrongly shaped weights are errors unless allowed.

    Args:
        allow_missing: Patterns (``*`` and ``?``) of weights that ``load_from`` need not bring, such as
            ``'pts_bbox_head.*'`` for a pretrained backbone. Not used when a run is resumed.
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
            ValueError: If they differ, or the file brings a box head and does not say in which convention.
        """
        source = str(runner._load_from)
        model, weights = _loading_model(runner), _bare(checkpoint.get('state_dict', checkpoint))
        meta = checkpoint.get('meta') or {}
        saved = meta.get(META_KEY)
        if saved is not None:
            check_identity(saved, identity_of(runner), source, self.ignore)
        else:
            self._check_anonymous(runner, source, weights, meta)
        resumed = bool(runner._resume)
        check_weights(
            model,
            weights,
            source,
            () if resumed else self.allow_missing,
            () if resumed else self.allow_unexpected,
        )

    def _check_anonymous(self, runner: Runner, source: str, weights: dict[str, Any], meta: dict[str, Any]) -> None:
        """Refuse weights of a box head from a file without identity; point out any other such file."""
        loaded = [name for name in bare_model(runner).state_dict() if name in weights]
        # Of a public distiller's file nothing fits a plain detector, but it needs the converter first all the same.
        names = weights if likely_kind(weights) == 'distiller' else loaded
        if 'box_convention' not in self.ignore and convention_unknown(names, meta):
            raise ValueError(
                f'checkpoint {source} cannot be loaded as it is: {conversion_advice(source, weights)}\n'
                "If it is in this package's conventions, say so with CheckpointIdentityHook(ignore=['box_convention'])"
            )
        runner.logger.warning(
            f'checkpoint {source} does not say which classes, range and box convention it was trained with; '
            'they are not checked'
        )


def _loading_model(runner: Runner) -> nn.Module:
    """What takes a whole state: the bare model, or the wrapper that gives each process its part of it."""
    return runner.model if isinstance(runner.model, FullyShardedDataParallel) else bare_model(runner)


def check_weights(
    model: nn.Module,
    weights: dict[str, Any],
    source: str,
    allow_missing: Sequence[str] = (),
    allow_unexpected: Sequence[str] = (),
) -> None:
    """Load weights into a model and refuse any that is missing, left over or of another shape.

    Args:
        model: The model.
        weights: From name to tensor; a leading ``module.`` is dropped.
        source: Name of the checkpoint, for the error.
        allow_missing: Patterns of names that may be missing.
        allow_unexpected: Patterns of names that may be left over.

    Raises:
        ValueError: With all names that do not fit.
    """
    try:
        result = model.load_state_dict(_bare(weights), strict=False)
    except RuntimeError as error:
        raise ValueError(f'checkpoint {source} has weights of other shapes than the model: {error}') from error
    # Batch norms of checkpoints from before torch 0.4.1 lack their step counter, which nothing here reads.
    missing = [name for name in result.missing_keys if not name.endswith('num_batches_tracked')]
    missing = _not_allowed(missing, allow_missing)
    unexpected = _not_allowed(result.unexpected_keys, allow_unexpected)
    if not missing and not unexpected:
        return
    raise ValueError(
        f'checkpoint {source} does not fit the model:\n'
        f'  {len(missing)} weights missing in the file{_some(missing)}\n'
        f'  {len(unexpected)} weights unknown to the model{_some(unexpected)}\n' + _advice(missing, unexpected)
    )


def _bare(weights: dict[str, Any]) -> dict[str, Any]:
    """Weights without the prefix of a wrapper for distributed training."""
    wrapped = bool(weights) and all(name.startswith('module.') for name in weights)
    return weights_below(weights, 'module.') if wrapped else weights


def _not_allowed(names: Iterable[str], patterns: Sequence[str]) -> list[str]:
    return [name for name in names if not any(fnmatchcase(name, pattern) for pattern in patterns)]


def _some(names: Sequence[str], count: int = 6) -> str:
    if not names:
        return ''
    return ': ' + ', '.join(names[:count]) + (', ...' if len(names) > count else '')


def _advice(missing: Sequence[str], unexpected: Sequence[str]) -> str:
    if any(name.startswith('student.') for name in unexpected):
        return f'This is a checkpoint of a distiller. Take the student out of it with {_EXPORT} and load that'
    if any(name.startswith('student.') for name in missing):
        return 'This is a checkpoint of a plain detector, but the config describes a distiller'
    return (
        'Use the config that it was trained with. If the gap is meant, name the weights in '
        'CheckpointIdentityHook(allow_missing=[...], allow_unexpected=[...])'
    )
