"""Which driver a machine has, told by files and programs that are made up here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bevdistill.engine import nvidia

TEXTS = {
    'NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 2024\nGCC version: 12\n': '535.183.01',
    'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build\n': '580.65.06',
    'something else': '',
}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without a driver; programs are looked for in its folder ``bin``."""
    (tmp_path / 'bin').mkdir()
    monkeypatch.setattr(nvidia, '_VERSION', tmp_path / 'version')
    monkeypatch.setattr(nvidia, '_DEVICES', tmp_path)
    monkeypatch.setenv('PATH', str(tmp_path / 'bin'))
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    return tmp_path


@pytest.mark.parametrize('text', TEXTS)
def test_kernel_module_tells(machine: Path, text: str) -> None:
    (machine / 'version').write_text(text)
    assert nvidia.driver_version() == '', 'a container sees the driver of its host, and no card'
    (machine / 'nvidia0').touch()
    assert nvidia.driver_version() == TEXTS[text]


@pytest.mark.parametrize(('answer', 'version'), [('560.35.03\n560.35.03', '560.35.03'), ('No devices found', '')])
def test_program_tells_where_the_module_does_not(machine: Path, answer: str, version: str) -> None:
    assert nvidia.driver_version() == ''
    program = machine / 'bin' / 'nvidia-smi'
    program.write_text(f'#!/bin/sh\necho "{answer}"\n')
    assert nvidia.driver_version() == '', 'not to be run'
    program.chmod(0o755)
    assert nvidia.driver_version() == version


@pytest.mark.parametrize(('visible', 'there'), [('', False), ('-1', False), ('0', True), ('GPU-5ebe,GPU-71c0', True)])
def test_hidden_cards_are_none(machine: Path, monkeypatch: pytest.MonkeyPatch, visible: str, there: bool) -> None:
    (machine / 'version').write_text(next(iter(TEXTS)))
    (machine / 'nvidia0').touch()
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', visible)
    assert bool(nvidia.driver_version()) is there
    assert os.environ['CUDA_VISIBLE_DEVICES'] == visible
