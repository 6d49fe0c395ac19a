"""The verb cache; what it does is tested in tests/teacher_cache."""

from __future__ import annotations

from pathlib import Path

import pytest
from cache_runs import DISTILLED, distilled, save_teacher
from cli_runs import Run

REPO = Path(__file__).resolve().parents[2]
OPTIONS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


@pytest.fixture
def words(synthetic_root: Path, synthetic_infos: Path, tmp_path: Path) -> list[str]:
    """Config, checkpoint and options of a small cache."""
    cfg = distilled(tmp_path, (synthetic_root, synthetic_infos), tmp_path)
    teacher = save_teacher(tmp_path / 'teacher.pth', cfg.model.teacher)
    data = 'val_dataloader.dataset'
    options = [f'{data}.data_root={synthetic_root}', f'{data}.ann_file={synthetic_infos}/nuscenes_infos_val.msgpack.gz']
    return [str(DISTILLED), str(teacher), '--split', 'val', '--workers', '0', '--cfg-options', *options]


def test_writes_and_says_how_to_train(
    words: list[str], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, text, _ = run('cache', *words)
    assert code == 0
    (folder,) = (tmp_path / 'work_dirs' / 'teacher_cache').iterdir()
    assert folder.name.startswith('bevdistill_r50_1x_nus-3d_val_')
    assert '6 samples x 0.159 MB' in text
    assert '6 samples to go' in text
    assert f'model.teacher_cache=work_dirs/teacher_cache/{folder.name}' in text
    assert len(list(folder.glob('records/*/*.bin'))) == 6
    code, text, _ = run('cache', *words)
    assert code == 0
    assert '0 samples to go' in text


def test_help_shows_examples(run: Run) -> None:
    code, text, _ = run('cache', '--help')
    assert code == 0
    for word in ('--out', '--split', '--dtype', '--taps', '--top-k', '--batch-size', '--workers', 'torchrun'):
        assert word in text


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (['--top-k', '5'], 'error: --top-k 5 is too small for this config'),
        (['--out', 'other'], 'error: other holds a cache of something else'),
        (['--cfg-options', 'model.techer=1'], "did you mean 'model.teacher'?"),
    ],
)
def test_mistakes_are_said_in_words(
    words: list[str], change: list[str], message: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if 'other' in change:
        assert run('cache', *words, '--out', 'other', '--dtype', 'float32').code == 0
    code, _, said = run('cache', *words, *change)
    assert code == 1
    assert 'bevdistill cache: error: ' in said
    assert message in said


def test_no_checkpoint(words: list[str], run: Run) -> None:
    words[1] = 'absent.pth'
    assert 'there is no teacher checkpoint absent.pth' in run('cache', *words).err
