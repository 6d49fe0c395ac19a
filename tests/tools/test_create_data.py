"""tools/create_data.py as a command."""

from __future__ import annotations

import importlib.util
import pickle
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'create_data.py'


@pytest.fixture(scope='module')
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location('create_data', TOOL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_writes_the_files_of_a_version(tool: ModuleType, synthetic_root: Path, tmp_path: Path) -> None:
    argv = ['nuscenes', '--root-path', str(synthetic_root), '--version', 'v1.0-mini', '--out-dir', str(tmp_path)]
    assert tool.main([*argv, '--max-sweeps', '1']) == 0
    with open(tmp_path / 'nuscenes_infos_val.pkl', 'rb') as file:
        content = pickle.load(file)
    assert content['metainfo']['version'] == 'v1.0-mini'
    assert {len(record.get('lidar_sweeps', [])) for record in content['data_list']} <= {0, 1}
    assert any(any(record['can_bus']) for record in content['data_list'])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--root-path', 'nowhere'], 'error: no nuScenes root at nowhere'),
        (['--root-path', '.', '--version', 'v2'], "error: unknown version 'v2'"),
    ],
)
def test_errors_are_one_line(
    tool: ModuleType, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert tool.main(['nuscenes', *options]) == 1
    said = capsys.readouterr().err
    assert said.startswith(message)
    assert said.count('\n') == 1


def test_the_script_runs_and_documents_its_options() -> None:
    done = subprocess.run([sys.executable, str(TOOL), '--help'], capture_output=True, text=True, check=True)
    for option in ('--root-path', '--version', '--out-dir', '--canbus-root', '--max-sweeps'):
        assert option in done.stdout
