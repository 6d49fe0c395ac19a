"""The wheel of mmcv."""

from __future__ import annotations

from pathlib import Path

import pytest
from setup_parts import SetupError, mmcv_wheel


def test_wheel_is_kept_per_version_and_never_half(tmp_path: Path) -> None:
    cache, work = tmp_path / 'wheels', tmp_path / 'work'
    wheel = mmcv_wheel.MmcvWheel(Path('python'), '2.1.0', '2.13.0+cpu', '', cache)
    other = mmcv_wheel.MmcvWheel(Path('python'), '2.1.0', '2.13.0+cu130', '13.0', cache)
    assert wheel.folder.name.startswith('cp311-torch2.13.0+cpu-mmcv2.1.0-cpu-')
    assert other.folder.name.startswith('cp311-torch2.13.0+cu130-mmcv2.1.0-cuda13.0-')
    (work / 'wheel').mkdir(parents=True)
    (work / 'wheel' / 'mmcv-2.1.0-cp311-cp311-linux_x86_64.whl').write_text('wheel')
    assert wheel.cached is None
    kept = wheel.keep(work)
    assert kept.read_text() == 'wheel'
    assert wheel.keep(work) == kept == wheel.cached
    assert [path.name for path in cache.iterdir()] == [wheel.folder.name], 'nothing half-written stays beside it'
    assert other.cached is None
    wheel.forget()
    assert wheel.cached is None


def test_gpu_without_nvcc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mmcv_wheel.shutil, 'which', lambda name: None)
    monkeypatch.delenv('CUDA_HOME', raising=False)
    wheel = mmcv_wheel.MmcvWheel(Path('python'), '2.1.0', '2.13.0', '13.0', tmp_path)
    with pytest.raises(SetupError, match=r'GPU is usable \(CUDA 13\.0\) but nvcc is missing.*CUDA_VISIBLE_DEVICES='):
        wheel.build_job('c++', tmp_path, tmp_path / 'log')
