from __future__ import annotations

from pathlib import Path

from nuscenes.nuscenes import NuScenes


def test_devkit_opens_it(synthetic_root: Path) -> None:
    nusc = NuScenes('v1.0-mini', str(synthetic_root), verbose=False)
    assert len(nusc.scene) == 10
    assert len(nusc.sample) == 30
