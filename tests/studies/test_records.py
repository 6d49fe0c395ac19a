"""Files of the output folder: whole at every moment, locked by one process at a time."""

from __future__ import annotations

import json
import multiprocessing
import time
from pathlib import Path
from typing import Any

import pytest

from bevdistill.studies.records import Folder, host, wall_seconds


def test_records(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert folder.read('a') == {}
    folder.write('a', dict(state='done', checkpoint=dict(file='iter_4.pth')))
    assert folder.read('a')['state'] == 'done'
    assert folder.checkpoint('a') == tmp_path / 'runs' / 'a' / 'iter_4.pth'
    with pytest.raises(FileNotFoundError, match='b has no checkpoint yet'):
        folder.checkpoint('b')
    attempts = [dict(stage='train', wall_s=2.0), dict(stage='train', wall_s=3.0), dict(stage='test', wall_s=4.0)]
    record = dict(attempts=attempts)
    assert (wall_seconds(record), wall_seconds(record, 'train'), wall_seconds({})) == (9.0, 5.0, 0)


def hold(folder: Folder, seconds: float, ready: Any) -> None:
    with folder.locked('a'):
        ready.set()
        time.sleep(seconds)


def test_a_lock_is_held_by_one_and_free_when_its_holder_is_killed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, context = Folder(tmp_path), multiprocessing.get_context('fork')
    assert not folder.is_running('a')
    ready = context.Event()
    holder = context.Process(target=hold, args=(folder, 600.0, ready))
    holder.start()
    assert ready.wait(30)
    assert folder.is_running('a')
    assert f'process {holder.pid} on' in (tmp_path / 'locks' / 'a').read_text()
    waiting = context.Process(target=hold, args=(folder, 0.0, context.Event()))
    waiting.start()
    waiting.join(0.5)
    assert waiting.is_alive(), 'it waits'
    holder.kill()
    waiting.join(30)
    assert waiting.exitcode == 0
    with folder.locked('a'):
        assert capsys.readouterr().out == '', 'nobody to wait for'
    assert not folder.is_running('a')


def test_the_node_of_a_cluster_has_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('SLURMD_NODENAME', 'node-7')
    assert host() == 'node-7'


def test_a_manifest_keeps_parts_once_and_leaves_configs_out(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    for name in ('a', 'b'):
        made_from = dict(config={'lr': name}, code={'x.py': '1'}, data={'infos': '2'})
        identity = dict(config=name, code='c', data='d')
        folder.write(name, dict(job=name, state='done', identity=identity, made_from=made_from))
    folder.write('old', dict(job='old', state='running'))
    folder.write_manifest(dict(matrix='study'), dict.fromkeys(['a', 'b', 'old', 'new'], 'run'))
    tree = json.loads((tmp_path / 'manifest.json').read_text())
    assert tree['parts'] == dict(c={'x.py': '1'}, d={'infos': '2'})
    assert [job['state'] for job in tree['jobs']] == ['done', 'done', 'running', 'waiting']
    assert tree['matrix'] == 'study'
    assert not any('made_from' in job for job in tree['jobs'])
    assert folder.read('a')['made_from']['config'] == {'lr': 'a'}, 'the own file keeps all'
