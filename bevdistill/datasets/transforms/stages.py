"""Build pipelines of named stages, of which a config can override one number without repeating a list."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmdet3d.registry import TRANSFORMS

Stage = Callable[[dict[str, Any]], Any]
Pipeline = Mapping[str, Any] | Sequence[Any]


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
