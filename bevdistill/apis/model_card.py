"""Describe an exported student in a text file: what it was trained on and how, what it scored, licences."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..checkpoints.find import sha256_of
from ..checkpoints.identity import META_KEY

TESTED = 'tested.json'
LICENCES = (
    'Code: Apache 2.0. nuScenes and weights made from it: CC BY-NC-SA 4.0, for companies the terms of Motional. Other '
    'data, and weights that training started from, have their own terms.'
)


def model_card(
    name: str, checkpoint: Path, meta: Mapping[str, Any], notes: Sequence[str] = (), metrics: Sequence[str] = ()
) -> str:
    """Write the card of a file made from a checkpoint, in Markdown.

    Args:
        name: Name of the exported file.
        checkpoint: What it was made from.
        meta: Its meta data.
        notes: Lines about the exported file, such as its inputs.
        metrics: Lines of :func:`metrics_of`.
    """
    identity = meta.get(META_KEY) or {}
    classes = identity.get('classes') or (meta.get('dataset_meta') or {}).get('classes')
    teacher = identity.get('teacher') or {}
    facts = {
        'Made from': f'{checkpoint.name}, SHA-256 {sha256_of(checkpoint)}',
        'Run': meta.get('experiment_name'),
        'Trained by': '`bevdistill train` with the config below' if isinstance(meta.get('cfg'), str) else None,
        'Steps': f'epoch {meta["epoch"]}, iteration {meta.get("iter", "unknown")}' if 'epoch' in meta else None,
        'Seed': meta.get('seed'),
        'Written': meta.get('time'),
        'Classes': ', '.join(classes) if classes else None,
        'Range': f'{identity["point_cloud_range"]} m, LiDAR frame' if 'point_cloud_range' in identity else None,
        'Boxes': identity.get('box_convention'),
        'Teacher': f'{Path(str(teacher.get("path"))).name}, SHA-256 {teacher.get("sha256")}' if teacher else None,
    }
    known = [f'* **{key}:** {value}' for key, value in facts.items() if value is not None]
    missing = [key for key, value in facts.items() if value is None]
    if missing:
        known.append(f'* Not in the checkpoint: {", ".join(missing).lower()}')
    scores = list(metrics) or ['None found beside the checkpoint. `bevdistill test CONFIG CHECKPOINT` scores it.']
    parts = [
        [f'# {name}', '', *notes, *([''] if notes else []), '## Training', '', *known, ''],
        ['## Metrics', '', *scores, ''],
        [
            'Of one run, without an interval: the spread between runs needs several seeds, see `bevdistill study`.',
            '', '## Licences', '', LICENCES, '',
        ],
    ]  # fmt: skip
    text = '\n'.join(line for part in parts for line in part)
    config = meta.get('cfg')
    return text + (f'\n## Config\n\n```python\n{config.strip()}\n```\n' if isinstance(config, str) else '')


def metrics_of(checkpoint: Path) -> list[str]:
    """Find the results of tests of a checkpoint below its folder, by its SHA-256: lines of Markdown.

    Args:
        checkpoint: The file that was tested.
    """
    own = sha256_of(checkpoint)
    lines = []
    for file in sorted(checkpoint.parent.glob(f'*/{TESTED}')):
        tested = json.loads(file.read_text(encoding='utf-8'))
        results = file.parent / f'{file.parent.name}.json'
        if tested.get('sha256') != own or not results.is_file():
            continue
        scores = json.loads(results.read_text(encoding='utf-8').splitlines()[-1])
        # The summaries alone: a card with 150 numbers is not read.
        chosen = {key: value for key, value in scores.items() if key.rpartition('/')[2] in ('NDS', 'mAP')}
        lines += [f'* {key.rpartition("/")[2]} {value:.4f} on {tested.get("samples")}' for key, value in chosen.items()]
    return lines
