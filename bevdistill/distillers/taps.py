"""Name the tapped outputs of a detector, and check that a pair of detectors can feed the losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

ALWAYS = ('bev', 'states', 'logits', 'codes', 'references')
HEATMAP = ('heatmap', 'heatmap_features')


def offered_taps(detector: nn.Module) -> tuple[str, ...]:
    """List the fields of :class:`BEVOutputs` that a detector fills, before it runs.

    A detector may list them in an attribute ``taps``. Otherwise it fills what every detector fills, and the
    heatmap if its head ``pts_bbox_head`` has auxiliary heatmap layers (``task_heads``).
    """
    own: tuple[str, ...] | None = getattr(detector, 'taps', None)
    if own is not None:
        return tuple(own)
    head = getattr(detector, 'pts_bbox_head', None)
    return ALWAYS + HEATMAP if getattr(head, 'task_heads', None) is not None else ALWAYS


def check_wiring(losses: Mapping[str, Any], student: Any, teacher: Any) -> None:
    """Compare what the losses want with what the pair offers.

    Args:
        losses: Losses by name, each with ``wants``: ``student.<tap>``, ``teacher.<tap>`` or ``targets``.
        student: Detector with ``grid`` and ``num_classes``.
        teacher: The same, or a frozen teacher.

    Raises:
        ValueError: With all gaps at once: taps that are not offered, queries that were not cached, ranges and class
            counts that differ.
    """
    offered = {f'student.{tap}' for tap in offered_taps(student)}
    offered |= {f'teacher.{tap}' for tap in offered_taps(teacher)}
    offered.add('targets')
    possible = offered | {f'teacher.{tap}' for tap in offered_taps(getattr(teacher, 'detector', teacher))}
    gaps = [
        f"loss '{name}' ({type(loss).__name__}) wants '{want}'"
        + (', which is not in the cache' if want in possible else _advice(want))
        for name, loss in losses.items()
        for want in tuple(loss.wants)
        if want not in offered
    ]
    gaps += query_gaps(losses, getattr(teacher, 'queries', None))
    advice = getattr(teacher, 'advice', '') if gaps else ''
    if not student.grid.same_range(teacher.grid):
        gaps.append(
            f'the student covers {student.grid.point_cloud_range}, the teacher {teacher.grid.point_cloud_range}; '
            'use one point_cloud_range'
        )
    if student.num_classes != teacher.num_classes:
        gaps.append(f'the student has {student.num_classes} classes, the teacher {teacher.num_classes}')
    if gaps:
        lines = ['cannot feed the losses:', *(f'  {gap}' for gap in gaps), f'offered: {sorted(offered)}', advice]
        raise ValueError('\n'.join(lines).rstrip())


def _advice(want: str) -> str:
    side, _, tap = want.partition('.')
    return f', which needs aux_heatmap=dict(...) in the head of the {side}' if tap in HEATMAP else ''


def query_gaps(losses: Mapping[str, Any], queries: int | None) -> list[str]:
    """Find losses that read more of the teacher's queries than a cache of the best ones holds.

    A loss gives in ``teacher_queries`` how many of the best it reads; one without it may read all of them.

    Args:
        losses: Losses by name.
        queries: How many of the best are there, None for all.
    """
    if queries is None:
        return []
    gaps = []
    for name, loss in losses.items():
        wanted = getattr(loss, 'teacher_queries', None)
        reads = {'teacher.states', 'teacher.logits', 'teacher.codes', 'teacher.references'} & set(loss.wants)
        if reads and (wanted is None or wanted > queries):
            many = 'all queries' if wanted is None else f'the best {wanted} queries'
            gaps.append(
                f"loss '{name}' ({type(loss).__name__}) reads {many} of the teacher, the cache has the best {queries}"
            )
    return gaps
