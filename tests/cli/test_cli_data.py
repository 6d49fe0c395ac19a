"""The verb data."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cli_runs import Run
from own_data import made_up_sample, write_samples

from bevdistill.datasets.infos import read_infos


def test_writes_the_files_of_a_version(run: Run, synthetic_root: Path, tmp_path: Path) -> None:
    words = ['nuscenes', '--root-path', synthetic_root, '--version', 'v1.0-mini', '--out-dir', tmp_path]
    assert run('data', 'create', *words, '--max-sweeps', '1').code == 0
    content = read_infos(tmp_path / 'nuscenes_infos_val.msgpack.gz')
    assert content['metainfo']['version'] == 'v1.0-mini'
    assert {len(record.get('lidar_sweeps', [])) for record in content['data_list']} <= {0, 1}
    assert any(any(record['can_bus']) for record in content['data_list'])


def test_imports_ones_own_data_and_names_what_is_wrong(run: Run, tmp_path: Path) -> None:
    write_samples(tmp_path, [made_up_sample(tmp_path, i) for i in range(2)])
    assert run('data', 'import', tmp_path, 'train.jsonl', '--out-dir', tmp_path / 'infos').code == 0
    assert (tmp_path / 'infos' / 'own_infos_train.msgpack.gz').is_file()
    done = run('data', 'import', tmp_path / 'nowhere')
    assert (done.code, done.error) == (1, f'bevdistill data: error: no folder {tmp_path}/nowhere')
    done = run('data', 'convert', tmp_path / 'infos' / 'own_infos_train.msgpack.gz', tmp_path / 'out.pkl')
    assert done.code == 1
    assert 'expected a mapping with infos' in done.error
    (tmp_path / 'pointer.pkl').write_text('version https://git-lfs.github.com/spec/v1')
    done = run('data', 'convert', tmp_path / 'pointer.pkl', tmp_path / 'out.pkl')
    assert 'is a pointer of large-file storage' in done.error
    assert '\n' not in done.error


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--root-path', 'nowhere'], 'bevdistill data: error: no nuScenes root at nowhere'),
        (['--root-path', '.', '--version', 'v2'], "bevdistill data: error: unknown version 'v2'"),
    ],
)
def test_errors_are_one_line(run: Run, options: list[str], message: str) -> None:
    done = run('data', 'create', 'nuscenes', *options)
    assert done.code == 1
    assert done.error.startswith(message)
    assert '\n' not in done.error


def test_help_documents_the_options(run: Run) -> None:
    done = run('data', 'create', '--help')
    assert done.code == 0
    for option in ('--root-path', '--version', '--out-dir', '--canbus-root', '--max-sweeps'):
        assert option in done.out


def test_what_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / 'train.jsonl').touch()
    for words, message in (
        (['check', tmp_path / 'absent'], rf'no folder or information file {tmp_path}/absent$'),
        (['check', tmp_path], rf'no information file .* write them with: bevdistill data import {tmp_path}$'),
        (['create', 'nuscenes', '--canbus-root', tmp_path], 'expected a folder that holds can_bus/, found none in it$'),
    ):
        done = run('data', *words)
        assert done.code == 1
        assert re.search(message, done.error), done.error
