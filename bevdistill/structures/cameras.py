"""The six cameras of nuScenes and the order in which files, tensors and camera embeddings hold them."""

from __future__ import annotations

CAMERAS = ('CAM_FRONT', 'CAM_FRONT_RIGHT', 'CAM_FRONT_LEFT', 'CAM_BACK', 'CAM_BACK_LEFT', 'CAM_BACK_RIGHT')
"""Channel names in order."""
