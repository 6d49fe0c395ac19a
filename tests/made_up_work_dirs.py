"""A work dir with a test result, as mmengine leaves it."""

from __future__ import annotations

import json
from pathlib import Path

from bevdistill.studies.work_dirs import METRICS

PREFIX = 'NuScenes metric/pred_instances_3d_NuScenes'


def work_dir(root: Path, name: str, mean_ap: float, time: str = '20260101_000000', **more: float) -> Path:
    folder = root / name / time
    folder.mkdir(parents=True)
    metrics = {f'{PREFIX}/{key}': 0.5 for key in METRICS} | {f'{PREFIX}/mAP': mean_ap}
    metrics |= {f'{PREFIX}/car_AP_dist_0.5': 0.1, 'time': 0.2}
    metrics |= {f'{PREFIX}/{key}': value for key, value in more.items()}
    (folder / f'{time}.json').write_text(json.dumps(metrics))
    return root / name
