"""Whether a nuScenes root is there; apart from what reads it, so that a command asks before it loads the devkit."""

from __future__ import annotations

from pathlib import Path


def require_root(root: Path) -> None:
    """Check that the folder of a nuScenes root is there.

    Raises:
        FileNotFoundError: If it is not.
    """
    if not root.is_dir():
        raise FileNotFoundError(f'no nuScenes root at {root}; give its folder with --root-path')
