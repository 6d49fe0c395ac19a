"""Write beside a test's result what was tested."""

from __future__ import annotations

import json
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process

from ..checkpoints.find import sha256_of

NAME = 'tested.json'
"""File beside ``<time>.json``: config, checkpoint and its SHA-256, work dir, information file of the samples."""


def record_tested(cfg: Config, checkpoint: str, folder: str | Path) -> Path | None:
    """Write :data:`NAME` into the folder of a test; the first process of a run does.

    Args:
        cfg: Config of the test.
        checkpoint: What was tested; the hash of an address is null.
        folder: Folder of the test, ``<work dir>/<time>``.

    Returns:
        The file, or None on other processes.
    """
    if not is_main_process():
        return None
    file = Path(checkpoint)
    loader = cfg.get('test_dataloader') or {}
    tested = dict(
        config=cfg.filename,
        checkpoint=checkpoint,
        sha256=sha256_of(file) if file.is_file() else None,
        work_dir=str(Path(cfg.work_dir).absolute()),
        samples=(loader.get('dataset') or {}).get('ann_file'),
    )
    out = Path(folder) / NAME
    aside = out.with_suffix('.part')
    aside.write_text(json.dumps(tested, indent=2) + '\n', encoding='utf-8')
    aside.replace(out)
    return out
