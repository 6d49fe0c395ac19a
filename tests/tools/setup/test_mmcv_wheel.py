"""The wheel of mmcv."""

from __future__ import annotations

import builtins
import runpy
import subprocess
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
        if what.startswith('precompiling'):
            self.compiler = Path(command[0]).read_text()
        self.done[what.split()[0]] = [str(word) for word in command]
        if what.split()[0] == self.failing:
            raise SetupError(f'{what} failed', 'Mend it')
        if what == 'building mmcv':
            self.env = env
            words = self.done['building']
            folder = Path(words[words.index('--wheel-dir') + 1])
            folder.mkdir()
            (folder / WHEEL).write_text(Path(words[-1]).read_text())


def build(runner: Runner, folder: Path, include: object = '/include') -> Path:
    return build_wheel(runner, Path('/env/bin/python'), [str(include)], 'mmcv==2.1.0 --hash=sha256:0', folder)


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
    assert runner.done['precompiling'][1:2 + len(flags.split())] == ['-std=c++17', *flags.split()]
    assert runner.done['precompiling'][-1] == f'{header}.gch'
    assert (runner.env['MMCV_WITH_OPS'], runner.env['MAX_JOBS']) == ('1', '3')
    assert runner.env['CXX'] == runner.done['precompiling'][0]


@pytest.mark.usefixtures('programs')
def test_ninja_is_that_of_the_environment(tmp_path: Path) -> None:
    """Without it torch compiles one file at a time, on a machine that has no ninja of its own."""
    runner = Runner()
    build(runner, tmp_path / 'wheels')
    assert runner.env['PATH'].split(':')[0] == '/env/bin'


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


@pytest.mark.parametrize(('text', 'standard'), [('#error C++20 or later compatible', '20'), ('C++17 or later', '17')])
def test_standard_is_the_one_that_torch_asks_for(
        programs: set[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, standard: str) -> None:
    (tmp_path / 'ATen').mkdir()
    (tmp_path / 'ATen' / 'ATen.h').write_text(text)
    programs.add('echo')
    monkeypatch.setenv('CXX', 'echo first')
    runner = Runner()
    build(runner, tmp_path / 'wheels', tmp_path)
    script = tmp_path / 'c++'
    script.write_text(runner.compiler)
    words = ['sh', str(script), '-O2', '-DNAME="a b"', '-std=c++17', 'file name.cpp']
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert said == f'first -O2 -DNAME="a b" -std=c++{standard} file name.cpp\n'


def test_setup_of_mmcv_finds_its_version_from_python_3_13_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runner, before = Runner(), exec
    build(runner, tmp_path / 'wheels')
    monkeypatch.setattr(builtins, 'exec', before)  # put back at the end
    runpy.run_path(str(Path(runner.env['PYTHONPATH'], 'sitecustomize.py')))
    assert exec is not before

    def version() -> str:
        exec("__version__ = '2.1.0'")
        return str(locals()['__version__'])

    assert version() == '2.1.0'
    spaces: dict[str, int] = {}
    exec('answer = 42', spaces)
    assert spaces['answer'] == 42
    assert 'answer' not in globals()
