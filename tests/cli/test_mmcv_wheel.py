"""The wheel of mmcv."""

from __future__ import annotations

import builtins
import runpy
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bevdistill.cli import mmcv_wheel
from bevdistill.cli.mmcv_wheel import build_wheel, find_compiler, install_mmcv, read_pins
from bevdistill.cli.process import SetupError

WHEEL = 'mmcv-2.1.0-cp311-cp311-linux_x86_64.whl'
OPERATORS = 'mmcv/ops/csrc/pytorch'


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Programs that can be found; add to them."""
    found = {'c++'}
    monkeypatch.setattr(mmcv_wheel.shutil, 'which', lambda name: f'/bin/{name}' if name in found else None)
    monkeypatch.delenv('CXX', raising=False)
    return found


def archive(folder: Path) -> None:
    """Leave a source archive as mmcv's, with three files of entry points."""
    inside = folder / 'made' / 'mmcv-2.1.0' / OPERATORS
    inside.mkdir(parents=True)
    for name in ('nms', 'carafe', 'pybind'):
        (inside / f'{name}.cpp').write_text(name)
    shutil.make_archive(str(folder / 'mmcv-2.1.0'), 'gztar', folder / 'made')
    shutil.rmtree(folder / 'made')


class Runner:
    """Takes the place of running commands; the build leaves a wheel."""

    def __init__(self, failing: str = '') -> None:
        self.failing, self.done, self.env = failing, dict[str, list[str]](), dict[str, str]()

    def __call__(self, what: str, *command: Any, **env: str) -> None:
        if what.startswith('precompiling'):
            self.compiler = Path(command[0]).read_text()
        if what == "installing the build's tools":
            self.tools = Path(command[-1]).read_text()
        self.done[what.split()[0]] = [str(word) for word in command]
        if what == 'fetching mmcv':
            self.pin = Path(command[-1]).read_text()
            archive(Path(command[list(command).index('--dest') + 1]))
        if what.split()[0] == self.failing:
            raise SetupError(f'{what} failed', 'Mend it')
        if what == 'building mmcv':
            self.env = env
            folder, source = map(Path, command[-2:])
            self.sources = {file.name: file.read_text() for file in (source / OPERATORS).iterdir()}
            folder.mkdir()
            (folder / WHEEL).write_text(self.pin)


def build(runner: Runner, folder: Path, include: object = '/include', tools: str = '') -> Path:
    return build_wheel(runner, Path('/env/bin/python'), [str(include)], 'mmcv==2.1.0 --hash=sha256:0', folder, tools)


def answers(monkeypatch: pytest.MonkeyPatch, *versions: str, torch: str = 'cp311-torch2.13.0+cpu|/include') -> None:
    """Let the environment tell its torch, and the version of mmcv whose operators import, call by call."""
    left = list(versions)
    monkeypatch.setattr(mmcv_wheel, 'ask', lambda python, _, code: torch if code == mmcv_wheel.FACTS else left.pop(0))
    monkeypatch.setattr(mmcv_wheel.sysconfig, 'get_platform', lambda: 'linux-x86_64')


def install(runner: Runner, cache: Path) -> bool:
    return install_mmcv(runner, Path('/env/bin/python'), 'mmcv==2.1.0 \\\n    --hash=sha256:0', cache)


def test_operators_that_import_stay(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers(monkeypatch, '2.1.0')
    runner = Runner()
    assert not install(runner, tmp_path)
    assert runner.done == {}


@pytest.mark.parametrize('before', ['', '2.0.0'])
def test_cached_wheel_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, before: str) -> None:
    answers(monkeypatch, before, '2.1.0')
    folder = tmp_path / 'wheels' / 'cp311-torch2.13.0+cpu-mmcv2.1.0-cpu-linux_x86_64'
    folder.mkdir(parents=True)
    (folder / WHEEL).touch()
    runner = Runner()
    assert install(runner, tmp_path)
    assert runner.done == {'installing': ['/env/bin/python', '-m', 'pip', 'install', '--no-input', '--no-compile',
                                          '--no-deps', '--force-reinstall', str(folder / WHEEL)]}


@pytest.mark.usefixtures('programs')
def test_wheel_that_does_not_work_is_built_again_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers(monkeypatch, '', '', '')
    folder = tmp_path / 'wheels' / 'cp311-torch2.13.0+cpu-mmcv2.1.0-cpu-linux_x86_64'
    folder.mkdir(parents=True)
    (folder / 'mmcv-2.1.0-old.whl').touch()
    runner = Runner()
    with pytest.raises(SetupError, match=r'although just built\. See why: /env/bin/python -c "import mmcv\._ext"'):
        install(runner, tmp_path)
    assert list(runner.done) == ['installing', 'fetching', 'precompiling', 'building']
    assert runner.done['installing'][-1] == str(folder / WHEEL)
    assert not folder.exists(), 'the next set-up does not meet it'


def test_without_torch_nothing_is_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers(monkeypatch, torch='')
    with pytest.raises(SetupError, match=r'^torch, .* does not import in /env\. Install it \("pip'):
        install(Runner(), tmp_path)


def test_versions_for_several_pythons_are_one_pin() -> None:
    lock = '# via make lock\nnumpy==1.26.4 ; python_version < "3.12" \\\n    --hash=sha256:0\n    # via torch\n'
    lock += 'numpy==2.5.0 ; python_version >= "3.12" \\\n    --hash=sha256:1 \\\n    --hash=sha256:2\nsix==1.17.0\n'
    pins = read_pins(lock)
    assert list(pins) == ['numpy', 'six']
    assert [line.split()[0] for line in pins['numpy'].splitlines()] == [
        'numpy==1.26.4', '--hash=sha256:0', 'numpy==2.5.0', '--hash=sha256:1', '--hash=sha256:2']
    assert pins['six'] == 'six==1.17.0'


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
    assert {'--require-hashes', '--no-build-isolation'} <= set(runner.done['fetching'])
    assert {'--no-build-isolation', '--no-cache-dir'} <= set(runner.done['building'])
    assert '-I/include' in runner.done['precompiling']


@pytest.mark.usefixtures('programs')
def test_files_of_entry_points_are_compiled_as_one(tmp_path: Path) -> None:
    runner = Runner()
    build(runner, tmp_path / 'wheels')
    assert runner.sources == {
        'carafe.inc': 'carafe', 'nms.inc': 'nms', 'pybind.cpp': 'pybind',
        'entry_points.cpp': '#include "carafe.inc"\n#include "nms.inc"\n',
    }  # fmt: skip


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
    assert runner.env['PATH'].split(':')[1] == '/env/bin'
    assert 'installing' not in runner.done


@pytest.mark.usefixtures('programs')
def test_tools_of_the_build_are_had_for_it_alone(tmp_path: Path) -> None:
    runner = Runner()
    build(runner, tmp_path / 'wheels', tools='ninja==1.13.2 --hash=sha256:0')
    words = runner.done['installing']
    folder = words[words.index('--target') + 1]
    assert runner.tools == 'ninja==1.13.2 --hash=sha256:0'
    assert runner.env['PATH'].split(':')[0] == f'{folder}/bin'
    assert runner.env['PYTHONPATH'].split(':')[1] == folder
    assert '--require-hashes' in words
    assert not Path(folder).exists(), 'nothing stays of them'


@pytest.mark.usefixtures('programs')
@pytest.mark.parametrize('failing', ['fetching', 'precompiling', 'building'])
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
    runpy.run_path(str(Path(runner.env['PYTHONPATH'].split(':')[0], 'sitecustomize.py')))
    assert exec is not before

    def version() -> str:
        exec("__version__ = '2.1.0'")
        return str(locals()['__version__'])

    assert version() == '2.1.0'
    spaces: dict[str, int] = {}
    exec('answer = 42', spaces)
    assert spaces['answer'] == 42
    assert 'answer' not in globals()
