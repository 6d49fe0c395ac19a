"""Build pipelines of named stages, of which a config can override one number without repeating a list."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmdet3d.registry import TRANSFORMS

Stage = Callable[[dict[str, Any]], Any]
Pipeline = Mapping[str, Any] | Sequence[Any]


def build_camera_stages(pipeline: Pipeline | None) -> list[Stage]:
    """Build what a pipeline does with the images of one frame after their loader, for images that come from elsewhere.

    Args:
        pipeline: Of a data set. By name these are the stages of ``images`` but ``load``; in a list, those of an
            ``ImageQueue`` but ``LoadCameraImages``.
    """
    if isinstance(pipeline, Mapping):
        queue = pipeline.get('images')
    else:
        stages = [stage for stage in pipeline or () if isinstance(stage, Mapping)]
        queue = next((stage for stage in stages if stage.get('type') == 'ImageQueue'), None)
    inner = (queue or {}).get('transforms', {})
    if isinstance(inner, Mapping):
        return build_stages({name: stage for name, stage in inner.items() if name != 'load'})
    return build_stages([stage for stage in inner if stage.get('type') != 'LoadCameraImages'])


def build_stages(pipeline: Pipeline, skip: Sequence[str] = ()) -> list[Stage]:
    """Build the transforms of a pipeline.

    Args:
        pipeline: A list of transform configs, or a mapping of names to transform configs that run in the mapping's
            order. In a mapping, None leaves a stage out. Entries may be callables.
        skip: Prefixes of stage names to leave out; a list has no names and is built whole.

    Raises:
        TypeError: If a stage is neither a config, a callable nor None.
    """
    if isinstance(pipeline, Mapping):
        named = [(name, stage) for name, stage in pipeline.items() if not name.startswith(tuple(skip))]
    else:
        named = [(str(position), stage) for position, stage in enumerate(pipeline)]
    built: list[Stage] = []
    for name, stage in named:
        if stage is None:
            continue
        if isinstance(stage, Mapping):
            if 'type' not in stage:
                raise TypeError(f'stage {name!r} of the pipeline has no type: {dict(stage)}; is its name misspelt?')
            built.append(TRANSFORMS.build(dict(stage)))
        elif callable(stage):
            built.append(stage)
        else:
            raise TypeError(f'stage {name!r} of the pipeline must be a config, a callable or None, got {stage!r}')
    return built
