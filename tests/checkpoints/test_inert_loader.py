"""Checkpoints from outside run nothing below mmengine's loader, also where torch would let them."""

from __future__ import annotations

import os
import pickle
import re
import threading
import traceback
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from mmengine.runner import CheckpointLoader

from bevdistill.checkpoints import inert_loader


class Canary:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.fixture(autouse=True)
def _torch_runs_everything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As torch before 2.6 by default."""
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'hub'))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Address of a server on this machine that serves the folder ``served``."""
    (tmp_path / 'served').mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / 'served'))
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{running.server_port}'
        running.shutdown()


def test_the_canary_is_alive(tmp_path: Path) -> None:
    torch.save(dict(state_dict=Canary(tmp_path / 'ran')), tmp_path / 'evil.pth')
    torch.load(tmp_path / 'evil.pth')
    assert (tmp_path / 'ran').is_dir(), 'without us torch runs it: the other tests can fail'


def test_an_address_that_does_not_answer_is_named() -> None:
    with pytest.raises(ConnectionError, match=r'cannot download http://127.0.0.1:9/x.pth \(.*\); download it'):
        CheckpointLoader.load_checkpoint('http://127.0.0.1:9/x.pth')


def test_a_local_file_runs_nothing(tmp_path: Path) -> None:
    torch.save(dict(state_dict=Canary(tmp_path / 'ran')), tmp_path / 'evil.pth')
    with pytest.raises(pickle.UnpicklingError):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'evil.pth'))
    assert not (tmp_path / 'ran').exists()


def test_a_download_runs_nothing(tmp_path: Path, server: str) -> None:
    torch.save(dict(state_dict=Canary(tmp_path / 'ran')), tmp_path / 'served' / 'evil.pth')
    with pytest.raises(pickle.UnpicklingError):
        CheckpointLoader.load_checkpoint(f'{server}/evil.pth')
    assert not (tmp_path / 'ran').exists()


def test_plain_files_are_read_from_both(tmp_path: Path, server: str) -> None:
    content = dict(state_dict=dict(weight=torch.arange(3.0)), meta=dict(epoch=2))
    torch.save(content, tmp_path / 'served' / 'fine.pth')
    for place in (tmp_path / 'served' / 'fine.pth', f'{server}/fine.pth'):
        loaded = CheckpointLoader.load_checkpoint(str(place), map_location='cpu')
        assert loaded['meta'] == dict(epoch=2)
        assert loaded['state_dict']['weight'].tolist() == [0.0, 1.0, 2.0]
    assert (tmp_path / 'hub' / 'hub' / 'checkpoints' / 'fine.pth').is_file(), 'kept where torch keeps downloads'


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'no checkpoint .*absent\.pth'):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'absent.pth'))


def test_the_refusal_is_one_line_of_ours(tmp_path: Path) -> None:
    torch.save(dict(state_dict=Canary(tmp_path / 'ran')), tmp_path / 'evil.pth')
    with pytest.raises(ValueError, match=r'evil.pth: expected tensors and plain data, but it holds posix.m') as refused:
        CheckpointLoader.load_checkpoint(str(tmp_path / 'evil.pth'))
    said = ''.join(traceback.format_exception(refused.value))
    assert '\n' not in str(refused.value)
    assert 'weights_only' not in said.replace('weights_only=True', '')


@pytest.mark.parametrize('address', ['torchvision://evil', 'open-mmlab://evil', 's3://evil'])
def test_other_schemes_run_nothing(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their loaders, which call torch.load without asking for plain data, in some versions against it."""
    torch.save(dict(state_dict=Canary(tmp_path / 'ran')), tmp_path / 'evil.pth')
    prefix = address.partition('//')[0] + '//'
    key = next(key for key in CheckpointLoader._schemes if re.match(key, address) and key)

    def theirs(filename: str, map_location: object = None) -> object:
        return torch.load(tmp_path / 'evil.pth', weights_only=False)

    monkeypatch.setitem(CheckpointLoader._schemes, key, inert_loader._plain_alone(theirs))
    with pytest.raises(ValueError, match=rf'checkpoint {prefix}.*it holds posix\.mkdir'):
        CheckpointLoader.load_checkpoint(address)
    assert not (tmp_path / 'ran').exists()
    assert os.environ['TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'] == '1'


def test_every_scheme_is_replaced() -> None:
    ours = {inert_loader.load_local, inert_loader.load_address}
    assert all(load in ours or hasattr(load, '__wrapped__') for load in CheckpointLoader._schemes.values())
