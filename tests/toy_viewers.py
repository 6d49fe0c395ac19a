"""Config files of the detectors of tests/visualization/toy_models.py, one that looks at images and one at points."""

from __future__ import annotations

from pathlib import Path


def write_viewer_configs(folder: Path) -> None:
    """Write ``camera.py`` and ``lidar.py``."""
    for name, sensor in (('camera', 'img'), ('lidar', 'points')):
        modality = dict(use_camera=name == 'camera', use_lidar=name == 'lidar')
        (folder / f'{name}.py').write_text(
            "custom_imports = dict(imports=['toy_models'])\n"
            "default_scope = 'mmdet3d'\n"
            f"model = dict(type='PictureDetector', sensor='{sensor}')\n"
            f"test_dataloader = dict(dataset=dict(type='ToyData', data_root='here', modality={modality!r}))\n"
        )
