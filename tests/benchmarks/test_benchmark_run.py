"""`bevdistill bench`: a run of the smallest size has every field; mistakes are told before."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import verbs
from mmengine.logging import MessageHub

from benchmarks import ratios, report
from benchmarks.reference.workload import encoder_workload
from bevdistill.cli import bench

REPO = Path(__file__).resolve().parents[2]
SPREAD = {'median', 'low', 'high', 'repeats'}
MARKS = f'{report.BEGIN}\nold\n{report.END}\n'


@pytest.fixture
def _process_of_its_own(one_thread: None) -> Iterator[None]:
    """Give back what a run changes in its process."""
    progress = MessageHub.get_current_instance().runtime_info
    before = dict(progress)
    yield
    progress.clear()
    progress.update(before)


@pytest.fixture
def data_root(synthetic_root: Path, synthetic_infos: Path, tmp_path: Path) -> Path:
    """Tiny data with information files in their root."""
    root = tmp_path / 'nuscenes'
    root.mkdir()
    for file in (*synthetic_root.iterdir(), *synthetic_infos.iterdir()):
        (root / file.name).symlink_to(file)
    return root


@pytest.mark.slow  # builds the demo's models a dozen times: every part of the benchmark is run
@pytest.mark.usefixtures('_process_of_its_own')
def test_a_quick_run_has_every_field(
    data_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, document, plot = tmp_path / 'figures.json', tmp_path / 'docs' / 'page.md', tmp_path / 'docs' / 'plot.png'
    document.parent.mkdir()
    document.write_text(f'# Title\n\n{MARKS}\nafter\n')
    argv = ['--quick', '--repeats', '1', '--data-root', str(data_root), '--out', str(out)]
    argv += ['--markdown', str(document), '--plot', str(plot)]
    monkeypatch.setattr(sys, 'argv', ['bevdistill', 'bench', *argv])
    # As where mmcv was built with its CUDA operators; on a CPU its form in torch samples.
    monkeypatch.setattr('benchmarks.ratios.other_backends', lambda device: ['mmcv'])
    verbs.run(bench, *argv)
    results = json.loads(out.read_text())
    assert set(results['ratios']) == {
        'encoder_time', 'encoder_memory', 'mmcv_time', 'mmcv_memory', 'encoder_time_history', 'encoder_memory_history',
        'mmcv_time_history', 'mmcv_memory_history', 'targets_time', 'distilled_live', 'distilled_cached', 'loader_wait',
    }  # fmt: skip
    for row in results['ratios'].values():
        assert set(row) == SPREAD | {'what', 'target', 'met'}
        assert row['median'] > 0
    assert set(results['times']) == {
        'encoder', 'encoder_reference', 'encoder_mmcv', 'encoder_history', 'encoder_reference_history',
        'encoder_mmcv_history', 'targets', 'targets_reference', 'student_forward',
        'student_step', 'teacher_forward', 'distilled_step', 'distilled_step_cached', 'temporal_step',
    }  # fmt: skip
    for name, row in results['times'].items():
        assert row['median'] > 0
        assert row['samples_per_second'] > 0
        assert row['peak_bytes'] is None if name.startswith('targets') else row['peak_bytes'] > 1000
    assert results['loader']['workers'] == 2
    assert all(set(results['loader'][key]) == SPREAD for key in ('seconds_per_sample', 'wait_seconds', 'step_seconds'))
    assert [row['name'] for row in results['scaling']] == ['BEV cells', 'cameras', 'queue length T', 'samples']
    assert all(len(row['sizes']) == len(row['seconds']) == 2 for row in results['scaling'])
    assert list(results['stages']) == [
        'backbone', 'neck', 'temporal attention', 'spatial attention', 'feed-forward', 'decoder',
    ]  # fmt: skip
    for row in results['stages'].values():
        assert row['median'] == pytest.approx(row['forward_seconds'] + row['backward_seconds'], rel=0.5)
        assert min(row['flops'], row['bytes'], row['share_of_product'], row['share_of_copy']) > 0
    assert results['machine']['versions']['torch'] == torch.__version__
    printed, text = capsys.readouterr().out, document.read_text()
    assert text.startswith('# Title\n')
    assert text.endswith('\nafter\n')
    assert 'old' not in text
    assert '](plot.png)' in text
    assert plot.stat().st_size > 1000
    for row in (*results['ratios'].values(), *results['times'].values()):
        assert f'| {row["what"]} |' in text
        assert f'| {row["what"]} |' in printed
    assert str(tmp_path) not in text
    assert results['command'].startswith('bevdistill bench --quick --repeats 1 --data-root nuscenes --out figures.json')


def test_the_encoder_is_made_on_the_device_with_its_inputs() -> None:
    sizes = dict(rows=2, cols=2, num_layers=1, embed_dims=32)
    work = encoder_workload(**sizes)
    with torch.device('meta'):
        moved = encoder_workload(**sizes)
    assert [tensor.shape for tensor in moved.leaves] == [tensor.shape for tensor in work.leaves]
    tensors = [*moved.leaves, *moved.encoder.parameters(), moved.arguments[4].lidar2img, moved.arguments[4].can_bus]
    assert {tensor.device.type for tensor in (*tensors, moved.arguments[3].shapes)} == {'meta'}
    assert moved.arguments[3].sizes == work.arguments[3].sizes


@pytest.mark.parametrize(('argv', 'error', 'message'), [
    (['--data-root', 'nowhere'], FileNotFoundError, r'no information file nowhere/nuscenes_infos_train.*with: bevd'),
    (['--markdown', 'page.md'], ValueError, 'the document has no lines <!-- benchmark: begin -->'),
])  # fmt: skip
def test_mistakes_are_found_before_anything_slow(
    argv: list[str], error: type[Exception], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path('page.md').write_text('no marks\n')
    with pytest.raises(error, match=message):
        verbs.run(bench, *argv)


@pytest.mark.usefixtures('_process_of_its_own')
def test_the_config_must_be_a_distillation(data_root: Path) -> None:
    config = REPO / 'configs' / 'synthetic' / 'bevformer' / 'bevformer_r50_1x_nus-3d.py'
    with pytest.raises(ValueError, match='is the config of a BEVFormer alone; name one of a distillation'):
        verbs.run(bench, '--only', 'loader', '--data-root', data_root, '--config', config)


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_a_gpu_that_is_not_there() -> None:
    with pytest.raises(ValueError, match='--device cuda, but torch sees no GPU'):
        verbs.run(bench, '--device', 'cuda')


def test_an_installed_package_says_where_the_benchmark_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bench, 'CHECKOUT', tmp_path)
    with pytest.raises(FileNotFoundError, match='clone the repository and run `make bench` there'):
        verbs.run(bench)


@pytest.mark.parametrize('argv', [['--repeats', '0'], ['--only', 'everything'], ['--threads', 'two']])
def test_wrong_words(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        verbs.parse(bench, *argv)
    assert end.value.code == 2
    assert argv[0] in capsys.readouterr().err


def test_every_part_has_its_time_and_its_measure() -> None:
    from benchmarks import loader, run, scaling, stages

    assert tuple(run.PARTS) == bench.PARTS
    for part in bench.PARTS:
        assert any(hasattr(module, f'measure_{part}') for module in (loader, ratios, scaling, stages)), part
    for config in (bench.DEMO, bench.TEMPORAL):
        assert Path(config).is_file()
