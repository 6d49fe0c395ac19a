"""The project's own environment."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import threading
import time
from collections import namedtuple
from pathlib import Path

import pytest
from made_up_venv import LOCK, PROJECT, Commands

from bevdistill.cli.process import SetupError
from tools.setup import environment
from tools.setup.environment import Venv

Usage = namedtuple('Usage', 'total used free')


def test_lock_is_read_with_its_hashes(venv: Venv) -> None:
    assert venv.pins['six'] == ("six==1.17.0 ; sys_platform == 'linux' \\\n    --hash=sha256:1 \\\n"
                                '    --hash=sha256:2')
    assert (list(venv.pins), venv.torch) == (['mmcv', 'six', 'uv'], 'torch==2.13.0')


def test_complete_environment_is_left_alone(venv: Venv, commands: Commands) -> None:
    (venv.site / 'ipython-9.0.dist-info').mkdir()  # what people add does no harm
    begin = time.monotonic()
    assert venv.ensure(None) == venv.python
    assert time.monotonic() - begin < 0.5
    assert not commands.done


@pytest.mark.parametrize('change', ['stamp', 'lock', 'torch', 'ranges', 'package', 'interpreter', 'place'])
def test_environment_is_incomplete_after(venv: Venv, change: str) -> None:
    assert venv.complete()
    repo = venv.repo
    if change == 'stamp':
        venv.stamp.unlink()
    elif change == 'lock':
        (repo / 'requirements' / 'lock.txt').write_text(LOCK.replace('1.17', '1.18'))
    elif change == 'torch':
        (repo / 'requirements' / 'lock.in').write_text('torch==2.14.0\n')
    elif change == 'ranges':
        (repo / 'pyproject.toml').write_text(PROJECT.replace('[tool', 'dependencies = ["six"]\n[tool'))
    elif change == 'package':
        next(venv.site.glob('torch*')).rename(venv.site / 'torch-2.14.0.dist-info')
    elif change == 'interpreter':
        venv.python.unlink()
    else:
        repo = venv.repo.rename(venv.repo.with_name('moved'))
    assert not Venv(repo, venv.cache).complete()


def test_settings_of_linters_are_no_reason_to_work(venv: Venv) -> None:
    (venv.repo / 'pyproject.toml').write_text(PROJECT.replace('120', '100'))
    assert Venv(venv.repo, venv.cache).complete()


def test_stamp_is_gone_while_work_is_done(venv: Venv, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def cut_off(self: Venv) -> None:
        seen.append(self.stamp.exists())
        raise SetupError('pip could not get the packages', 'Check the network')

    monkeypatch.setattr(Venv, 'fill', cut_off)
    venv.key = 'another'
    with pytest.raises(SetupError, match='could not get'):
        venv.ensure(None)
    assert seen == [False]
    assert not venv.complete()
    assert venv.site.is_dir(), 'a missing network is no reason to throw away what is there'


def test_repair_installs_and_stamps(venv: Venv, commands: Commands) -> None:
    venv.key = 'another'
    assert venv.ensure(None) == venv.python
    assert commands.done == ['installing uv', 'installing packages by uv', 'installing torch', 'importing torch',
                             'mmcv==2.1.0', 'installing bevdistill', 'importing the packages']
    assert '--require-hashes' in commands.words['installing packages by uv']
    assert '--hash' not in ' '.join(commands.words['installing torch'])
    assert 'mmcv==' not in (venv.folder / 'lock.txt').read_text()
    assert commands.env == {'PYTHONDONTWRITEBYTECODE': ''}, 'the imports leave their bytecode whatever the user has set'
    assert venv.complete()


def test_pip_goes_on_where_uv_does_not(
        venv: Venv, commands: Commands, capsys: pytest.CaptureFixture[str]) -> None:
    commands.failing = {'installing uv': 1}
    venv.fill()
    assert commands.done[:2] == ['installing uv', 'installing packages']
    assert 'uv==' not in (venv.folder / 'lock.txt').read_text(), 'what failed is not tried again'
    assert '--require-hashes' in commands.words['installing packages']
    assert 'pip goes on alone' in capsys.readouterr().err


def test_torn_packages_are_forgotten(venv: Venv) -> None:
    torn = venv.site / 'numpy-1.26.4.dist-info'
    torn.mkdir()
    assert venv.usable()
    assert not torn.exists()
    assert venv.installed() == {'torch-2.13.0+cpu', 'mmcv-2.1.0', 'six-1.17.0', 'uv-0.13.9'}


def test_environment_of_another_place_or_python_is_not_usable(venv: Venv, tmp_path: Path) -> None:
    other = tmp_path / 'python3.12'
    other.write_text('#!/bin/sh\necho 3.12\n')
    other.chmod(0o755)
    assert not venv.usable(other)
    assert not venv.complete(other)
    assert venv.usable(venv.python)
    assert venv.complete(venv.python)
    venv.python.write_text('#!/bin/sh\nexit 1\n')
    assert not venv.usable(), 'it does not run'
    venv.python.write_text('#!/bin/sh\necho 3.12\n')
    assert venv.usable()
    moved = venv.repo.rename(venv.repo.with_name('moved'))
    assert not Venv(moved, venv.cache).usable(), 'its scripts name the old place'


@pytest.mark.parametrize('importing', ['importing torch', 'importing the packages'])
def test_environment_that_does_not_import_is_made_anew_once(
        venv: Venv, commands: Commands, monkeypatch: pytest.MonkeyPatch, importing: str) -> None:
    monkeypatch.setattr(Venv, 'make', lambda self, base: commands.done.append('make'))
    commands.failing = {importing: 2}
    venv.key = 'another'
    with pytest.raises(SetupError, match=f'{importing} failed'):
        venv.ensure(None)
    assert [what for what in commands.done if what in (importing, 'make')] == [importing, 'make', importing]
    assert not venv.complete()


@pytest.mark.parametrize(('here', 'temporary', 'message'), [
    (1 << 30, 1 << 40, r'no room on the disk: 1\.0 GB free at .*needs 4 GB\. Free some'),
    (1 << 40, 1 << 20, r'0\.0 GB free at .*needs 1 GB.*TMPDIR'),
])
def test_no_disk_space(
        venv: Venv, monkeypatch: pytest.MonkeyPatch, here: int, temporary: int, message: str) -> None:
    free = {venv.repo: here}
    monkeypatch.setattr(environment.shutil, 'disk_usage', lambda folder: Usage(0, 0, free.get(folder, temporary)))
    with pytest.raises(SetupError, match=message):
        venv.make(None)
    assert venv.folder.exists()


def test_making_begins_from_nothing(venv: Venv, commands: Commands) -> None:
    venv.make(Path('base'))
    assert commands.words['making .venv'] == ['base', '-m', 'venv', str(venv.folder)]
    assert not venv.folder.exists()
    venv.make(None)
    assert commands.words['making .venv'][0] == sys.executable


def test_no_module_to_make_it_with(venv: Venv, tmp_path: Path) -> None:
    python = tmp_path / 'python3.11'
    python.write_text('#!/bin/sh\necho "No environment: ensurepip is not available"; exit 1\n')
    python.chmod(0o755)
    venv.hold = 0
    with pytest.raises(SetupError, match=r'\.venv failed: .* lacks .* venv and ensurepip\. .*python3-venv'):
        venv.make(python)


def test_one_set_up_at_a_time(venv: Venv, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    key, venv.key = venv.key, 'another'
    hold = os.open(venv.repo, os.O_RDONLY)
    fcntl.flock(hold, fcntl.LOCK_EX)
    second = threading.Thread(target=venv.ensure, args=(None,))
    second.start()
    deadline, said = time.monotonic() + 20, ''
    while 'waiting for its end' not in said and time.monotonic() < deadline:
        time.sleep(0.05)
        said += capsys.readouterr().err
    venv.key = key  # the first one completes it
    os.close(hold)
    second.join(timeout=20)
    assert not second.is_alive()
    assert 'another set-up works in this checkout; waiting for its end' in said
    assert venv.stamp.read_text().startswith(key), 'nothing was left to do'


def test_without_the_folder_there_is_nothing_to_rely_on(venv: Venv) -> None:
    shutil.rmtree(venv.folder)
    assert not venv.complete()
    assert not venv.usable()


@pytest.mark.parametrize(('driver', 'program', 'words'), [
    ('', 'python', []),
    ('580.65.06', 'uv', ['--reinstall-package', 'torch', 'torch==2.13.0']),
    ('550.54', 'uv', ['--reinstall-package', 'torch', '--torch-backend', 'cu126', 'torch==2.13.0']),
])
def test_torch_is_the_build_that_the_driver_runs(
        venv: Venv, commands: Commands, monkeypatch: pytest.MonkeyPatch, driver: str, program: str, words: list[str],
) -> None:
    monkeypatch.setattr(environment, 'driver_version', lambda: driver)
    (venv.folder / 'bin' / 'uv').touch()
    venv.install_torch()
    command = commands.words['installing torch']
    assert Path(command[0]).name == program
    assert command[-len(words):] == words or not words
    assert (command[-1], '--torch-backend' in command) == ('torch==2.13.0', driver.startswith('550'))
    assert not driver or '--no-config' in command, 'pyproject.toml has uv leave the libraries of CUDA out'


def test_driver_that_is_too_old(venv: Venv, commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, 'driver_version', lambda: '470.82.01')
    with pytest.raises(SetupError, match=r'driver 470\.82\.01 is too old: .* needs 525\. .*CUDA_VISIBLE_DEVICES='):
        venv.install_torch()
    assert not commands.done


def test_build_for_cpus_is_replaced_where_there_is_a_card(venv: Venv, monkeypatch: pytest.MonkeyPatch) -> None:
    assert venv.complete()
    monkeypatch.setattr(environment, 'driver_version', lambda: '580.65.06')
    assert not venv.complete()
    next(venv.site.glob('torch*')).rename(venv.site / 'torch-2.13.0.dist-info')
    venv.stamp.write_text('\n'.join([venv.key, *venv.installed()]))
    assert venv.complete()


def test_versions_for_several_pythons_are_all_kept(venv: Venv) -> None:
    lock = "numpy==2.4.6 ; python_full_version < '3.12' \\\n    --hash=sha256:4\n"
    venv = Venv(venv.repo, venv.cache, lock=lock + lock.replace('2.4.6', '2.5.5').replace('<', '>='))
    assert venv.pins['numpy'].count('--hash') == 2
    assert 'numpy==2.4.6' in venv.pins['numpy'] and 'numpy==2.5.5' in venv.pins['numpy']
    assert not venv.torch, 'such a lock names torch itself'
