"""The project's own environment."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from setup_parts import SetupError, fake_interpreter, messages
from setup_parts import venv as venv_tool


@pytest.fixture
def checkout(tmp_path: Path) -> Any:
    """A checkout with two pins and a made-up ``.venv`` that has them."""
    repo = tmp_path / 'repo'
    (repo / 'requirements').mkdir(parents=True)
    (repo / 'requirements' / 'lock.txt').write_text('torch==2.13.0\nmmcv==2.1.0\n')
    (repo / 'setup.py').write_text("PYTHON_REQUIRES = '>=3.11'\nINSTALL_REQUIRES = []\nEXTRAS_REQUIRE = {}\n")
    venv = venv_tool.Venv(repo, tmp_path / 'wheels')
    for name in ('torch-2.13.0+cpu', 'mmcv-2.1.0'):
        folder = venv.site / f'{name}.dist-info'
        folder.mkdir(parents=True)
        (folder / 'RECORD').touch()
    fake_interpreter(venv.python, prefix=str(venv.folder))
    venv.stamp.write_text(venv.key())
    return venv


def test_complete_environment_is_left_alone(checkout: Any) -> None:
    begin = time.monotonic()
    assert checkout.ensure(None, []) == checkout.python
    assert time.monotonic() - begin < 1


@pytest.mark.parametrize('change', ['stamp', 'lock', 'package', 'interpreter', 'place'])
def test_environment_is_incomplete_after(checkout: Any, change: str) -> None:
    assert checkout.complete()
    if change == 'stamp':
        checkout.stamp.unlink()
    elif change == 'lock':
        checkout.lock_file.write_text('torch==2.13.0\nmmcv==2.1.0\n# changed\n')
    elif change == 'package':
        next(checkout.site.glob('torch*')).rename(checkout.site / 'torch-2.14.0.dist-info')
    elif change == 'interpreter':
        checkout.python.unlink()
    else:
        moved = checkout.repo.rename(checkout.repo.with_name('moved'))
        checkout = venv_tool.Venv(moved, checkout.cache)
    assert not checkout.complete()


def test_stamp_is_gone_while_work_is_done(checkout: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout.lock_file.write_text('torch==2.13.0\nmmcv==2.1.0\n# changed\n')
    seen = []

    def cut_off(self: Any, hold: int) -> None:
        seen.append(self.stamp.exists())
        raise SetupError('pip could not get the packages', 'Check the network')

    monkeypatch.setattr(venv_tool.Venv, 'fill', cut_off)
    with pytest.raises(SetupError, match='could not get'):
        checkout.ensure(None, [])
    assert seen == [False]
    assert not checkout.complete()
    assert checkout.site.is_dir(), 'a missing network is no reason to throw away what is there'


def test_torn_packages_are_forgotten(checkout: Any) -> None:
    torn = checkout.site / 'numpy-1.26.4.dist-info'
    torn.mkdir()
    checkout.drop_torn_packages()
    assert not torn.exists()
    assert set(checkout.installed()) == {'torch', 'mmcv'}


def test_environment_that_does_not_import_is_made_anew_once(checkout: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = []
    broken = messages.BrokenEnvironmentError('the packages in .venv do not import together', 'See the log')

    def fill(self: Any, hold: int) -> None:
        steps.append('fill')
        raise broken

    monkeypatch.setattr(venv_tool.Venv, 'prepare', lambda self, *args: bool(steps.append('prepare')))
    monkeypatch.setattr(venv_tool.Venv, 'fill', fill)
    checkout.stamp.unlink()
    with pytest.raises(SetupError, match='do not import together'):
        checkout.ensure(None, [])
    assert steps == ['prepare', 'fill', 'prepare', 'fill']
