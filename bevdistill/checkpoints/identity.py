"""What a checkpoint says about itself, and whether that fits the run that loads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.runner import BaseLoop, Runner
from torch import nn

from ..distributed.wrappers import bare_model
from .meta import BOX_CONVENTION


def class_names(runner: Runner) -> list[str] | None:
    """Class names of the datasets that the runner has built so far, in label order.

    Returns:
        The names, or None where no dataset states any.

    Raises:
        ValueError: If two datasets of one run differ.
    """
    found: dict[str, list[str]] = {}
    for name in ('train', 'val', 'test'):
        loop = getattr(runner, f'_{name}_loop')
        metainfo = getattr(loop.dataloader.dataset, 'metainfo', None) if isinstance(loop, BaseLoop) else None
        if metainfo and metainfo.get('classes') is not None:
            found[name] = list(metainfo['classes'])
    if not found:
        return None
    first, names = next(iter(found.items()))
    for name, other in found.items():
        if other != names:
            raise ValueError(f'the {first} dataset has the classes {names}, the {name} dataset has {other}')
    return names


def identity_of(runner: Runner) -> dict[str, Any]:
    """The entry ``meta['bevdistill']`` of this run's checkpoints.

    Returns:
        ``classes`` (list of names in label order), ``point_cloud_range`` (six numbers, m, LiDAR frame),
        ``box_convention``, and whatever the model's ``checkpoint_meta()`` adds, such as a distiller's ``teacher``.
        What is unknown is left out.
    """
    model = bare_model(runner)
    identity: dict[str, Any] = {'box_convention': BOX_CONVENTION}
    classes = class_names(runner)
    if classes is not None:
        identity['classes'] = classes
    limits = _range_of(model)
    if limits is not None:
        identity['point_cloud_range'] = limits
    own = getattr(model, 'checkpoint_meta', None)
    return identity | (dict(own()) if callable(own) else {})


def check_num_classes(runner: Runner) -> None:
    """Stop a run whose head and whose data disagree about the number of classes.

    Raises:
        ValueError: If they differ.
    """
    model, names = bare_model(runner), class_names(runner)
    count = getattr(model, 'num_classes', getattr(getattr(model, 'student', None), 'num_classes', None))
    if names is not None and count is not None and count != len(names):
        raise ValueError(f'the model predicts {count} classes, the dataset has {len(names)}: {names}')


def check_identity(saved: dict[str, Any], own: dict[str, Any], source: str, ignore: Sequence[str] = ()) -> None:
    """Compare a checkpoint with the run that loads it.

    Args:
        saved: The checkpoint's entry.
        own: This run's entry, from :func:`identity_of`.
        source: Name of the checkpoint, for the error.
        ignore: Fields that may differ.

    Raises:
        ValueError: If a field that both sides know differs; all differences are named, with both sides.
    """
    gaps = []
    for field in ('classes', 'point_cloud_range', 'box_convention'):
        if field in ignore or field not in saved or field not in own:
            continue
        theirs, ours = _comparable(saved[field]), _comparable(own[field])
        if theirs != ours:
            gaps.append(f'{field}: the checkpoint has {theirs}, this run has {ours}')
    if gaps:
        raise ValueError(
            f'checkpoint {source} does not fit this run:\n  '
            + '\n  '.join(gaps)
            + '\nUse the config that it was trained with, or convert it with tools/model_converters/. To load it all '
            'the same, name the fields in CheckpointIdentityHook(ignore=[...])'
        )


def _range_of(model: nn.Module) -> list[float] | None:
    for owner in (model, getattr(model, 'student', None)):
        grid = getattr(owner, 'grid', None)
        if grid is not None:
            return [float(limit) for limit in grid.point_cloud_range]
    return None


def _comparable(value: Any) -> Any:
    if isinstance(value, str):
        return value
    return [round(entry, 4) if isinstance(entry, float | int) else entry for entry in value]
