"""docs/experiments/full_size.py on CPU-sized twins: what it measures, how it finds the largest image scale."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from docs.experiments import full_size, full_size_measure
from docs.experiments.full_size_measure import MEMORY, Task
from mmengine.logging import MessageHub

from bevdistill.datasets.infos import write_keyframe_infos

REPO = Path(__file__).resolve().parents[2]
TWINS = REPO / 'configs' / 'synthetic'
SCALE = 0.1


@pytest.fixture
def _process_of_its_own() -> Iterator[None]:
    """A measurement may change its process for good; give back what it changes."""
    progress, threads = MessageHub.get_current_instance().runtime_info, torch.get_num_threads()
    before = dict(progress)
    yield
    progress.clear()
    progress.update(before)
    torch.set_num_threads(threads)


def task(config: Path, is_step: bool, keyframe: Path, folder: Path) -> Task:
    ann_file = write_keyframe_infos(keyframe, folder / 'infos.msgpack.gz')
    return Task('twin', str(config), is_step, str(keyframe), str(ann_file), SCALE, 'cpu', 1, 1, 1000.0)


@pytest.mark.usefixtures('_process_of_its_own')
@pytest.mark.parametrize(
    ('name', 'is_step', 'image'),
    [
        ('bevformer/bevformer_tiny_24e_nus-3d.py', False, [6, 90, 160]),
        ('object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py', False, None),
        ('bevdistill/bevdistill_r50_1x_nus-3d.py', True, [6, 90, 160]),
    ],
)
def test_measures_the_real_keyframe(
    keyframe: Path,
    tmp_path: Path,
    name: str,
    is_step: bool,
    image: list[int] | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    row = full_size_measure.results_of(task(TWINS / name, is_step, keyframe, tmp_path))
    assert (row['image'], row['samples'], row['bev']) == (image, 1, [32, 32])
    assert row['parameters'] > 1e5
    assert len(row['seconds']) == len(row['cpu_seconds']) == 1
    assert row['seconds'][0] > 0
    assert 0.1 < row['peak_gib'] < 100
    assert ('distill.dense.loss' in row['answer']) if is_step else row['answer'].endswith('all finite')
    printed = capsys.readouterr().out
    assert 'warm-up' in printed
    assert 'run 1 of 1' in printed


def test_a_step_takes_the_largest_scale_that_fits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tried: list[tuple[str, float | None]] = []

    def run_apart(task: Task) -> dict[str, Any]:
        tried.append((task.name, task.scale))
        if task.scale is not None and task.scale > 0.5:
            return {MEMORY: True}
        return dict(
            model=task.name, what='forward', samples=1, image=[6, 900, 1600], bev=[128, 128], parameters=33_500_000,
            load_seconds=0.1, seconds=[3.0, 1.0, 2.0], cpu_seconds=[1.0, 1.0, 1.0], peak_gib=4.25, answer='300 boxes',
        )  # fmt: skip

    monkeypatch.setattr(full_size, 'run_apart', run_apart)
    monkeypatch.setattr('bevdistill.datasets.infos.write_keyframe_infos', lambda folder, out, *_: out)
    out = tmp_path / 'results.json'
    argv = [str(tmp_path), '--models', 'bevformer_r50_1x', 'bevdistill_r50_1x', '--scales', '1.0', '0.5', '0.25']
    full_size.main([*argv, '--json', str(out)])
    assert tried == [('bevformer_r50_1x', None), ('bevdistill_r50_1x', 1.0), ('bevdistill_r50_1x', 0.5)]
    printed = capsys.readouterr().out
    assert 'needs more than 24 GiB' in printed
    line = '| bevformer_r50_1x | forward | 1 | 6 x 900 x 1600 | 128 x 128 | 33.5 M | 3 | 2.00 | 1.00 | 4.25 GiB |'
    assert line in printed
    assert [row['model'] for row in json.loads(out.read_text())['results']] == ['bevformer_r50_1x', 'bevdistill_r50_1x']


def test_lack_of_memory_is_told_from_other_faults() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**58, dtype=torch.uint8)
    assert full_size_measure.ran_out_of_memory(caught.value)
    assert full_size_measure.ran_out_of_memory(MemoryError())
    assert not full_size_measure.ran_out_of_memory(RuntimeError('shapes differ'))


def test_faults_of_the_process_reach_the_user() -> None:
    # A limit that is no number fails before anything slow is imported.
    wrong = Task('twin', 'none.py', False, '', '', None, 'cpu', 1, 1, float('nan'))
    with pytest.raises(RuntimeError, match='twin: ValueError: cannot convert float NaN'):
        full_size.run_apart(wrong)


def test_every_model_has_its_config() -> None:
    for config in (*full_size.FORWARD.values(), *full_size.STEP.values()):
        assert (full_size.CONFIGS / config).is_file()
