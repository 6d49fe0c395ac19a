"""The wheel of mmcv."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tools.setup import mmcv_wheel
from tools.setup.mmcv_wheel import build_wheel, find_compiler
from tools.setup.process import SetupError

WHEEL = 'mmcv-2.1.0-cp311-cp311-linux_x86_64.whl'


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Programs that can be found; add to them."""
    found = {'c++'}
    monkeypatch.setattr(mmcv_wheel.shutil, 'which', lambda name: f'/bin/{name}' if name in found else None)
    monkeypatch.delenv('CXX', raising=False)
    return found


class Runner:
    """Takes the place of running commands; the build leaves a wheel."""

    def __init__(self, failing: str = '') -> None:
        self.failing, self.done, self.env = failing, dict[str, list[str]](), dict[str, str]()

    def __call__(self, what: str, *command: Any, **env: str) -> None:
        self.done[what.split()[0]] = [str(word) for word in command]
        if what.split()[0] == self.failing:
            raise SetupError(f'{what} failed', 'Mend it')
        if what == 'building mmcv':
            self.env = env
            words = self.done['building']
            folder = Path(words[words.index('--wheel-dir') + 1])
            folder.mkdir()
            (folder / WHEEL).write_text(Path(words[-1]).read_text())


def build(runner: Runner, folder: Path) -> Path:
    return build_wheel(runner, Path('python'), ['/include'], 'mmcv==2.1.0 --hash=sha256:0', folder)


def test_no_compiler(programs: set[str]) -> None:
    programs.clear()
    with pytest.raises(SetupError, match=r"no C\+\+ compiler .* found \(tried c\+\+, g\+\+, clang\+\+\).*Install one"):
        find_compiler()


def test_compiler_of_cxx_is_respected(programs: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    programs.add('ccache')
    monkeypatch.setenv('CXX', 'ccache g++-13')
    assert find_compiler() == 'ccache g++-13'
    monkeypatch.setenv('CXX', 'icpc')
    with pytest.raises(SetupError, match=r'tried icpc'):
        find_compiler()


@pytest.mark.usefixtures('programs')
def test_wheel_comes_whole_and_replaces_one_that_does_not_work(tmp_path: Path) -> None:
    folder, runner = tmp_path / 'wheels' / 'cp311', Runner()
    assert build(runner, folder) == folder / WHEEL
    assert (folder / WHEEL).read_text() == 'mmcv==2.1.0 --hash=sha256:0'
    (folder / WHEEL).write_text('broken')
    assert build(runner, folder).read_text() != 'broken'
    assert list((tmp_path / 'wheels').iterdir()) == [folder], 'nothing stays beside it'
    assert {'--require-hashes', '--no-build-isolation', '--no-cache-dir'} <= set(runner.done['building'])
    assert '-I/include' in runner.done['precompiling']


@pytest.mark.usefixtures('programs')
def test_header_and_build_have_the_same_flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MAX_JOBS', '3')
    runner = Runner()
    build(runner, tmp_path / 'wheels')
    flags, _, header = runner.env['CFLAGS'].partition(' -include ')
    assert runner.done['precompiling'][1:1 + len(flags.split())] == flags.split()
    assert runner.done['precompiling'][-1] == f'{header}.gch'
    assert (runner.env['MMCV_WITH_OPS'], runner.env['CXX'], runner.env['MAX_JOBS']) == ('1', 'c++', '3')


@pytest.mark.usefixtures('programs')
@pytest.mark.parametrize('failing', ['precompiling', 'building'])
def test_build_that_fails_leaves_nothing(tmp_path: Path, failing: str) -> None:
    with pytest.raises(SetupError, match=f'{failing} .* failed'):
        build(Runner(failing), tmp_path / 'wheels' / 'b')
    assert list((tmp_path / 'wheels').iterdir()) == []


@pytest.mark.usefixtures('programs')
def test_operators_are_those_of_the_cpu_beside_a_gpu_too(tmp_path: Path) -> None:
    runner = Runner()
    build(runner, tmp_path / 'wheels')
    assert (runner.env['FORCE_CUDA'], runner.env['CUDA_VISIBLE_DEVICES']) == ('0', '')
