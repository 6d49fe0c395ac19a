"""Every folder of `projects` with its configs, whichever are there."""

from __future__ import annotations

from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
PROJECTS = sorted(file.parent.name for file in (REPO / 'projects').glob('*/__init__.py'))
BASELINE = REPO / 'configs' / 'bevdistill' / 'bevdistill_r50_1x_nus-3d.py'
BASELINE_TWIN = REPO / 'configs' / 'synthetic' / 'bevdistill' / 'bevdistill_r50_1x_nus-3d.py'
ANOTHER_PAIR = frozenset({'centerpoint'})
"""Projects that change the pair of student and teacher itself; all others change the losses only."""
METHODS = [name for name in PROJECTS if name not in ANOTHER_PAIR]


def row(project: str) -> Path:
    """The full-scale config of a project."""
    return REPO / 'projects' / project / 'configs' / f'{project}_r50_1x_nus-3d.py'


def twin(project: str) -> Path:
    """Its CPU-sized twin."""
    return row(project).parent / 'synthetic' / row(project).name
