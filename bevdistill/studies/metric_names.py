"""Name the metrics that a test of a config reports, without building it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from ..datasets.infos.names import CATEGORIES
from .work_dirs import METRICS

DISTANCES = ('0.5', '1.0', '2.0', '4.0')
ALWAYS = ('seconds', 'time', 'data_time')
"""Of every run, whatever scores it."""


def metric_names(cfg: Mapping[str, Any]) -> list[str]:
    """List the metrics that the test evaluators of a config report, without prefixes; none if one is not of ours."""
    evaluators = cfg.get('test_evaluator') or []
    classes = next(_classes(cfg.get('test_dataloader')), CATEGORIES)
    names: list[str] = []
    for evaluator in evaluators if isinstance(evaluators, list) else [evaluators]:
        kind = str(evaluator.get('type', '')).rpartition('.')[2]
        if kind not in ('BEVNuScenesMetric', 'BEVDetectionMetric'):
            return []
        own = [*METRICS, *(f'AP_{distance}' for distance in DISTANCES), *(f'{name}_AP' for name in classes)]
        if kind == 'BEVDetectionMetric':
            own = [name for name in own if name not in ('NDS', 'mAAE')]
            ends = [f'{low:g}-{high:g}m' for low, high in pairwise(evaluator.get('bands') or ())]
            own += [f'{name}_{end}' for end in ends for name in own if 'AP_' not in name]
            own += [f'{name}_AP_2.0' for name in classes]
        names += own
    return [*dict.fromkeys([*names, *ALWAYS])] if names else []


def _classes(part: Any) -> Iterator[Sequence[str]]:
    """Find the classes of a data set inside its wrappers."""
    if isinstance(part, Mapping):
        if isinstance(part.get('metainfo'), Mapping) and part['metainfo'].get('classes'):
            yield part['metainfo']['classes']
        yield from _classes(part.get('dataset'))


def unknown_metric(option: str, name: str, known: Sequence[str]) -> str:
    """Say that no run has a metric, with the nearest that there is."""
    lower = {each.lower(): each for each in reversed(known)}
    near = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.5)
    advice = f"did you mean '{lower[near[0]]}'? There" if near else 'there'
    return f"{option}: no run has '{name}'; {advice} are {', '.join(known)}"


def check_columns(option: str, names: Sequence[str] | None, known: Sequence[str]) -> None:
    """Check that runs have the numbers that an option names.

    Raises:
        ValueError: If no run has one.
    """
    for name in names or ():
        if name not in known:
            raise ValueError(unknown_metric(option, name, known))
