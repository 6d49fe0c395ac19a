"""tools/create_data.py as a command."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'create_data.py'


def test_writes_the_files_of_a_version(run_tool: Callable[..., object], synthetic_root: Path, tmp_path: Path) -> None:
    words = ['nuscenes', '--root-path', synthetic_root, '--version', 'v1.0-mini', '--out-dir', tmp_path]
    assert run_tool('create_data.py', *words, '--max-sweeps', '1') == 0
    with open(tmp_path / 'nuscenes_infos_val.pkl', 'rb') as file:
        content = pickle.load(file)
    assert content['metainfo']['version'] == 'v1.0-mini'
    assert {len(record.get('lidar_sweeps', [])) for record in content['data_list']} <= {0, 1}
    assert any(any(record['can_bus']) for record in content['data_list'])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--root-path', 'nowhere'], 'create_data.py: error: no nuScenes root at nowhere'),
        (['--root-path', '.', '--version', 'v2'], "create_data.py: error: unknown version 'v2'"),
    ],
)
def test_errors_are_one_line(run_tool: Callable[..., object], options: list[str], message: str) -> None:
    said = str(run_tool('create_data.py', 'nuscenes', *options))
    assert said.startswith(message)
    assert '\n' not in said


def test_the_script_runs_and_documents_its_options() -> None:
    done = subprocess.run([sys.executable, str(TOOL), '--help'], capture_output=True, text=True, check=True)
    for option in ('--root-path', '--version', '--out-dir', '--canbus-root', '--max-sweeps'):
        assert option in done.stdout
