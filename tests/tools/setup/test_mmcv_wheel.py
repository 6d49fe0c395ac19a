"""The wheel of mmcv."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tools.setup import mmcv_wheel
from tools.setup.mmcv_wheel import build_wheel, find_compilers
from tools.setup.process import SetupError

WHEEL = 'mmcv-2.1.0-cp311-cp311-linux_x86_64.whl'


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Programs that can be found; add to them."""
    found = {'c++'}
    monkeypatch.setattr(mmcv_wheel.shutil, 'which', lambda name: f'/bin/{name}' if name in found else None)
    monkeypatch.delenv('CXX', raising=False)
    monkeypatch.delenv('CUDA_HOME', raising=False)
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
    return build_wheel(runner, Path('python'), ['/include'], '', 'mmcv==2.1.0 --hash=sha256:0', folder)


def test_no_compiler(programs: set[str]) -> None:
    programs.clear()
    with pytest.raises(SetupError, match=r"no C\+\+ compiler .* found \(tried c\+\+, g\+\+, clang\+\+\).*Install one"):
        find_compilers('')


def test_compiler_of_cxx_is_respected(programs: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    programs.add('ccache')
    monkeypatch.setenv('CXX', 'ccache g++-13')
    assert find_compilers('') == 'ccache g++-13'
    monkeypatch.setenv('CXX', 'icpc')
    with pytest.raises(SetupError, match=r'tried icpc'):
        find_compilers('')


def test_gpu_without_nvcc(programs: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SetupError, match=r'GPU is usable \(CUDA 13\.0\) but nvcc is missing.*CUDA_VISIBLE_DEVICES='):
        find_compilers('13.0')
    monkeypatch.setenv('CUDA_HOME', '/usr/local/cuda')
    assert find_compilers('13.0') == 'c++'


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
def test_build_goes_on_without_the_header_and_leaves_nothing_when_it_fails(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build(Runner('precompiling'), tmp_path / 'wheels' / 'a').exists()
    assert 'takes several times as long' in capsys.readouterr().err
    with pytest.raises(SetupError, match='building mmcv failed'):
        build(Runner('building'), tmp_path / 'wheels' / 'b')
    assert [path.name for path in (tmp_path / 'wheels').iterdir()] == ['a']
