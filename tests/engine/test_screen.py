"""The screen of a run is short, its log file complete."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from mmdet3d.registry import VISBACKENDS, VISUALIZERS
from mmengine.visualization import Visualizer
from toy_run import write_config

from bevdistill.engine.launch import build_runner, load_config
from bevdistill.engine.screen import is_no_dump


@pytest.mark.parametrize(('text', 'shown'), [
    ('\n' + '-' * 60 + '\nSystem environment:\n    sys.platform: linux', False),
    ('Config:\nmodel = dict()', False),
    ('Hooks will be executed in the following order:\nbefore_run:', False),
    ('Config: one line of a user', True),
    ('Epoch(train) [1][2/4]  loss: 1.0', True),
    ('', True),
])
def test_dumps_of_mmengine_are_told_from_messages(text: str, shown: bool) -> None:
    assert is_no_dump(logging.makeLogRecord(dict(msg=text))) is shown


def test_a_config_in_the_work_dir_stays_as_it_was_written(tmp_path: Path) -> None:
    file = write_config(tmp_path)
    text = file.read_text()
    build_runner(load_config(file, work_dir=tmp_path)).dump_config()
    assert file.read_text() == text
    build_runner(load_config(file, work_dir=tmp_path / 'run')).dump_config()
    assert 'ToyDetector' in (tmp_path / 'run' / file.name).read_text()


def test_the_log_file_has_what_the_screen_leaves_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runner = build_runner(load_config(write_config(tmp_path), work_dir=tmp_path / 'run'))
    runner.logger.info('a message')
    screen = capsys.readouterr().out
    log = Path(runner.log_dir) / f'{runner.timestamp}.log'
    written = log.read_text()
    for dump in ('System environment:', 'Config:', 'Hooks will be executed'):
        assert dump in written
        assert dump not in screen
    assert f'environment, config and hooks are in {log}' in screen
    assert 'a message' in screen
    assert 'a message' in written


@pytest.mark.parametrize(('changes', 'searched'), [
    ({}, False),
    ({'visualizer.type': 'Det3DLocalVisualizer'}, True),
    ({'visualizer.vis_backends': [dict(type='OwnBackend')]}, True),
])
def test_a_visualizer_of_mmengine_is_not_searched_in_mmdet3d(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], searched: bool
) -> None:
    looks = mock.Mock(side_effect=KeyError('looked'))
    for registry in (VISUALIZERS, VISBACKENDS):
        monkeypatch.setattr(registry, 'import_from_location', looks)
    cfg = load_config(write_config(tmp_path), changes, work_dir=tmp_path / 'run')
    with pytest.raises(ValueError, match='looked') if searched else nullcontext():
        assert build_runner(cfg).visualizer.__class__ is Visualizer
    assert looks.called is searched


def test_values_that_a_library_refuses_name_their_part(tmp_path: Path) -> None:
    cfg = load_config(write_config(tmp_path), {'param_scheduler': [{}]}, work_dir=tmp_path / 'run')
    with pytest.raises(ValueError, match=r'a part of the config cannot be built \(AssertionError: .*type'):
        build_runner(cfg).train()
    cfg = load_config(write_config(tmp_path), {'optim_wrapper.optimizer.type': 'AdamZ'}, work_dir=tmp_path / 'run')
    with pytest.raises(ValueError, match=r"optim_wrapper\.optimizer: there is no optimizer 'AdamZ'"):
        build_runner(cfg).train()
