"""Every config loads, begins as a lab note, builds its model, and its CPU-sized twin differs in numbers only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

import bevdistill  # noqa: F401
from bevdistill.datasets import build_stages

CONFIGS_ROOT = Path(__file__).resolve().parents[2] / 'configs'
CONFIGS = sorted(file for file in CONFIGS_ROOT.rglob('*.py') if '_base_' not in file.parts)
FULL_SCALE = [file for file in CONFIGS if 'synthetic' not in file.parts]
TWINS = [
    (twin, full)
    for full in FULL_SCALE
    if (twin := CONFIGS_ROOT / 'synthetic' / full.relative_to(CONFIGS_ROOT)).exists()
]


def name(file: Path) -> str:
    return str(file.relative_to(CONFIGS_ROOT))


def test_found_them():
    assert len(CONFIGS) == 10, [name(file) for file in CONFIGS]
    assert len(TWINS) == 3


@pytest.mark.parametrize('file', CONFIGS, ids=name)
def test_begins_as_a_lab_note(file: Path):
    header = file.read_text().split('_base_')[0]
    for word in ('# Command', '# Hardware', '# Result'):
        assert word in header, f'{name(file)} has no line that begins with "{word}"'
    result = header[header.index('# Result') :]
    assert 'measured here' in result.lower() or 'from the paper' in result, f'{name(file)}: where is the result from?'


@pytest.mark.parametrize('file', CONFIGS, ids=name)
def test_builds(file: Path):
    cfg = Config.fromfile(str(file))
    init_default_scope(cfg.default_scope)
    if cfg.model.type == 'BEVDistiller':
        cfg.model.teacher_checkpoint = 'teacher.pth'
    model = MODELS.build(cfg.model)
    assert model.num_classes == len(cfg.class_names)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        dataset = loader.dataset
        while 'dataset' in dataset:
            dataset = dataset.dataset
        assert len(build_stages(dataset.pipeline)) > 1


@pytest.mark.parametrize('file', [f for f in CONFIGS if 'distill' in name(f) or 'ablations' in name(f)], ids=name)
def test_distillers_want_a_teacher_checkpoint(file: Path):
    cfg = Config.fromfile(str(file))
    assert cfg.model.teacher_checkpoint is None
    with pytest.raises(ValueError, match='teacher_checkpoint'):
        MODELS.build(cfg.model)


def types(config: object, path: str = '') -> Iterator[tuple[str, str]]:
    """All ``type`` entries of a config with their dotted path."""
    if isinstance(config, dict):
        for key, value in config.items():
            if key == 'type':
                yield path, str(value)
            else:
                yield from types(value, f'{path}.{key}')


@pytest.mark.parametrize(('twin', 'full'), TWINS, ids=[name(twin) for twin, _ in TWINS])
def test_twins_run_the_same_code(twin: Path, full: Path):
    small, large = dict(types(Config.fromfile(str(twin)).model)), dict(types(Config.fromfile(str(full)).model))
    common = small.keys() & large.keys()
    assert len(common) >= 7
    assert {path: small[path] for path in common} == {path: large[path] for path in common}
