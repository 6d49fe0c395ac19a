"""The card of an exported student, word for word, and the scores that belong to its weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bevdistill.apis.model_card import metrics_of, model_card

SHA = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
"""Of the three letters abc (FIPS 180-2)."""


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    file = tmp_path / 'epoch_2.pth'
    file.write_bytes(b'abc')
    return file


LICENCES = (
    'Code: Apache 2.0. nuScenes and weights made from it: CC BY-NC-SA 4.0, for companies the terms of Motional. Other '
    'data, and weights that training started from, have their own terms.'
)
META: dict[str, Any] = dict(
    experiment_name='tiny_20260101', epoch=2, iter=30, seed=0, time='2026', cfg='model = 1\n',
    dataset_meta=dict(classes=['not', 'these']),
    bevdistill=dict(
        classes=('car', 'truck'), point_cloud_range=[-5, -5, -1, 5, 5, 1], box_convention='mmdet3d>=1.0',
        teacher=dict(path='runs/t/epoch_9.pth', sha256='12ab'),
    ),
)  # fmt: skip


def test_the_whole_card(checkpoint: Path) -> None:
    card = model_card('student.onnx', checkpoint, META, ['Six cameras.', 'Batch 1.'], ['* NDS 0.5000 on val.gz'])
    assert card == f"""# student.onnx

Six cameras.
Batch 1.

## Training

* **Made from:** epoch_2.pth, SHA-256 {SHA}
* **Run:** tiny_20260101
* **Trained by:** `bevdistill train` with the config below
* **Steps:** epoch 2, iteration 30
* **Seed:** 0
* **Written:** 2026
* **Classes:** car, truck
* **Range:** [-5, -5, -1, 5, 5, 1] m, LiDAR frame
* **Boxes:** mmdet3d>=1.0
* **Teacher:** epoch_9.pth, SHA-256 12ab

## Metrics

* NDS 0.5000 on val.gz

Of one run, without an interval: the spread between runs needs several seeds, see `bevdistill study`.

## Licences

{LICENCES}

## Config

```python
model = 1
```
"""


def test_what_a_checkpoint_does_not_say_is_listed(checkpoint: Path) -> None:
    """Nothing is made up: no line with None, no empty config, no teacher."""
    card = model_card('a.pt2', checkpoint, {})
    start, _, rest = card.partition('\n\n## Metrics\n\n')
    assert start == f"""# a.pt2

## Training

* **Made from:** epoch_2.pth, SHA-256 {SHA}
* Not in the checkpoint: run, trained by, steps, seed, written, classes, range, boxes, teacher"""
    assert rest.startswith('None found beside the checkpoint. `bevdistill test CONFIG CHECKPOINT` scores it.\n\nOf one')
    assert rest.endswith(f'{LICENCES}\n')
    assert 'Config' not in card and 'None' not in start


@pytest.mark.parametrize(('meta', 'line'), [
    (dict(dataset_meta=dict(classes=['bus'])), '* **Classes:** bus\n'),  # Of mmengine, where nothing of ours is there.
    (dict(bevdistill=None, dataset_meta=None), 'seed, written, classes, range'),
    (dict(epoch=0), '* **Steps:** epoch 0, iteration unknown\n'),
    (dict(cfg=dict(model=1)), 'run, trained by, steps'),
])  # fmt: skip
def test_facts_of_other_checkpoints(meta: dict[str, Any], line: str, checkpoint: Path) -> None:
    assert line in model_card('a', checkpoint, meta)


def results_of(folder: Path, name: str, scores: list[dict[str, float]], **about: Any) -> None:
    """Results of a test as mmengine writes them: one JSON a line, the last counts."""
    (folder / name).mkdir()
    (folder / name / 'tested.json').write_text(json.dumps(about))
    (folder / name / f'{name}.json').write_text('\n'.join(map(json.dumps, scores)) + '\n')


def test_scores_are_those_of_the_same_weights_in_order_of_tests(checkpoint: Path) -> None:
    scores = {'nus/NDS': 0.31236, 'nus/mAP': 0.25, 'nus/car_AP': 0.9, 'nus/mAP_20-40m': 0.1, 'time': 3.0}
    results_of(checkpoint.parent, '20260102', [{'nus/NDS': 0.9}, scores], sha256=SHA, samples='val.gz')
    results_of(checkpoint.parent, '20260101', [{'NDS': 1.0}], sha256=SHA, samples='mini.gz')
    results_of(checkpoint.parent, '20260103', [{'NDS': 0.7}], sha256='other', samples='val.gz')
    results_of(checkpoint.parent, '20260104', [{'NDS': 0.8}], samples='val.gz')
    results_of(checkpoint.parent, '20260105', [{'NDS': 0.6}], sha256=SHA)
    (checkpoint.parent / '20260105' / '20260105.json').unlink()  # It was killed before it had scored.
    assert metrics_of(checkpoint) == ['* NDS 1.0000 on mini.gz', '* NDS 0.3124 on val.gz', '* mAP 0.2500 on val.gz']


def test_no_test_no_scores(checkpoint: Path) -> None:
    assert metrics_of(checkpoint) == []
