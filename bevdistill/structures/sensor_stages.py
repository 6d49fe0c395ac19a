"""Tell which stages of a pipeline a data set runs: those of the sensors that it loads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SENSORS = {'images': 'use_camera', 'points': 'use_lidar'}
"""How names of stages of one sensor begin, and the switch of that sensor in ``modality``."""


def unused_prefixes(modality: Mapping[str, bool] | None) -> tuple[str, ...]:
    """Return how the names of stages begin that a data set leaves out.

    Args:
        modality: Which sensors it loads; None: all.
    """
    if modality is None:
        return ()
    return tuple(prefix for prefix, sensor in SENSORS.items() if not modality.get(sensor, False))


def listed_stages(pipeline: Mapping[str, Any] | Sequence[Any], skip: Sequence[str] = ()) -> list[Any]:
    """List the configs of the stages that run, in their order, those inside of other stages too.

    Args:
        pipeline: Stages by name, or as a list; None is no stage.
        skip: Beginnings of names that are left out, see :func:`unused_prefixes`.
    """
    if isinstance(pipeline, Mapping):
        pipeline = [stage for name, stage in pipeline.items() if not name.startswith(tuple(skip))]
    return [_listed(stage) for stage in pipeline if stage is not None]


def _listed(stage: Any) -> Any:
    inner = stage.get('transforms') if isinstance(stage, Mapping) else None
    if not inner or (isinstance(inner, Mapping) and 'type' in inner):  # mmcv's wrappers take the config of one, too.
        return stage
    return {**stage, 'transforms': listed_stages(inner)}
