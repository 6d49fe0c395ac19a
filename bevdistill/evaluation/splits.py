"""Name the splits of nuScenes with public annotations; imports nothing, for commands that need no model."""

from __future__ import annotations

EVAL_SETS = {'v1.0-mini': 'mini_val', 'v1.0-trainval': 'val'}
"""From a version to the devkit's name of its validation split."""
