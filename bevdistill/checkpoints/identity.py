"""Compare classes, range and box convention of a checkpoint with those of the run that loads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..distributed.wrappers import unwrap_model
from ..for_people import counted

if TYPE_CHECKING:
    from mmengine.runner import Runner

META_KEY = 'bevdistill'
"""Entry of a checkpoint's ``meta`` that holds class names, range, box convention and, for a distiller, the teacher."""

BOX_CONVENTION = 'mmdet3d>=1.0'
"""Boxes as mmdet3d has had them since 1.0: sizes are length, width, height; yaw grows counter-clockwise from x."""


def class_names(runner: Runner) -> list[str] | None:
    """Collect the class names of the datasets that the runner has built so far, in label order.

    Returns:
        The names, or None where no dataset states any.

    Raises:
        ValueError: If two datasets of one run differ.
    """
    from mmengine.runner import BaseLoop

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
    """Describe this run for the entry ``meta['bevdistill']`` of its checkpoints.

    Returns:
        ``classes`` (list of names in label order), ``point_cloud_range`` (six numbers, m, LiDAR frame),
        ``box_convention``, and whatever the model's ``checkpoint_meta()`` adds, such as a distiller's ``teacher``.
        What is unknown is left out.
    """
    model = unwrap_model(runner.model)
    identity: dict[str, Any] = {'box_convention': BOX_CONVENTION}
    classes = class_names(runner)
    if classes is not None:
        identity['classes'] = classes
    grid = getattr(model, 'grid', None)
    if grid is not None:
        identity['point_cloud_range'] = [float(limit) for limit in grid.point_cloud_range]
    own = getattr(model, 'checkpoint_meta', None)
    return identity | (dict(own()) if callable(own) else {})


def check_num_classes(runner: Runner) -> None:
    """Stop a run whose head and whose data disagree about the number of classes.

    Raises:
        ValueError: If they differ.
    """
    count, names = getattr(unwrap_model(runner.model), 'num_classes', None), class_names(runner)
    if names is not None and count is not None and count != len(names):
        raise ValueError(f'the model predicts {counted(count, "class")}, the dataset has {len(names)}: {names}')


def identity_gaps(saved: Mapping[str, Any], own: Mapping[str, Any], owner: str) -> dict[str, str]:
    """Compare what a checkpoint says about itself with what a run or a model needs.

    Args:
        saved: The checkpoint's entry.
        own: The same fields of the side that loads it, see :func:`identity_of`; ``num_classes`` is compared with the
            number of the checkpoint's classes.
        owner: Name of that side, for the messages.

    Returns:
        From field to a message with both sides, for those fields that both sides know and that differ.
    """
    gaps = {}
    for name in ('classes', 'point_cloud_range', 'box_convention'):
        if name in saved and name in own:
            theirs, ours = _plain(saved[name]), _plain(own[name])
            if not _equal(theirs, ours):
                gaps[name] = f'{name}: the checkpoint has {theirs}, {owner} has {ours}'
    count, names = own.get('num_classes'), saved.get('classes')
    if count is not None and names is not None and count != len(names):
        gaps['classes'] = f'classes: the checkpoint has {len(names)} ({list(names)}), {owner} has {count}'
    return gaps


def check_identity(saved: Mapping[str, Any], own: Mapping[str, Any], source: str, ignore: Sequence[str] = ()) -> None:
    """Refuse a checkpoint whose classes, range or box convention are not those of the run that loads it.

    Args:
        saved: The checkpoint's entry.
        own: This run's entry, from :func:`identity_of`.
        source: Name of the checkpoint, for the error.
        ignore: Fields that may differ.

    Raises:
        ValueError: With all differences and both sides.
    """
    gaps = [gap for name, gap in identity_gaps(saved, own, 'this run').items() if name not in ignore]
    if gaps:
        raise ValueError(
            f'checkpoint {source} does not fit this run:\n  '
            + '\n  '.join(gaps)
            + '\nUse the config that it was trained with, or convert it with tools/model_converters/. To load it all '
            'the same (fine-tuning: docs/weights.md), name the fields in default_hooks.checkpoint_identity.ignore=[...]'
        )


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else [one if isinstance(one, str) else float(one) for one in value]


def _equal(one: Any, other: Any) -> bool:
    """Compare two names, lists of names, or ranges, the latter within 0.1 mm."""
    return len(one) == len(other) and all(
        a == b or (isinstance(a, float) and isinstance(b, float) and abs(a - b) <= 1e-4)
        for a, b in zip(one, other, strict=True)
    )
