"""Set-up: what it pins, what it accepts, and the one line that it says when something is wrong. No network."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from collections import namedtuple
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

REPO = Path(__file__).resolve().parents[2]
Usage = namedtuple('Usage', 'total used free')


def load_tool(name: str) -> ModuleType:
    """The folder tools/setup as a package of another name: ``setup`` may mean something else in this process."""
    if 'setup_tool' not in sys.modules:
        folder = REPO / 'tools' / 'setup'
        spec = importlib.util.spec_from_file_location('setup_tool', folder / '__init__.py',
                                                      submodule_search_locations=[str(folder)])
        assert spec and spec.loader
        sys.modules['setup_tool'] = importlib.util.module_from_spec(spec)
    return importlib.import_module(f'setup_tool.{name}')


cli, interpreters, machine = load_tool('cli'), load_tool('interpreters'), load_tool('machine')
mmcv_wheel, pins, process = load_tool('mmcv_wheel'), load_tool('pins'), load_tool('process')
venv_tool = load_tool('venv')
SetupError = load_tool('messages').SetupError


# ---- pins and ranges

def test_lock_is_closed_and_meets_every_requirement() -> None:
    """Every requirement of a pinned package is pinned to a version that it accepts, or is left out by name."""
    from packaging.requirements import Requirement

    text = (REPO / 'requirements' / 'lock.txt').read_text()
    lock = pins.read_lock(REPO / 'requirements' / 'lock.txt')
    left_out = set(re.findall(r'^# without ([\w-]+) ', text, flags=re.MULTILINE))
    faults, looked_at = [], 0
    for name, version in lock.items():
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        if distribution.version.partition('+')[0] != version:
            continue
        looked_at += 1
        for text in distribution.requires or []:
            needed = Requirement(text)
            if needed.marker and not needed.marker.evaluate({'extra': ''}):
                continue
            other = pins.normalise(needed.name)
            if other in left_out or (name == 'torch' and other not in lock):
                continue
            if other not in lock or not needed.specifier.contains(lock[other]):
                faults.append(f'{name} {version} needs {needed}, the lock has {lock.get(other)}')
    if looked_at < len(lock) / 2:
        pytest.skip('this environment is not made from the lock')
    assert not faults


def test_lock_lies_inside_the_ranges() -> None:
    ranges = pins.read_ranges(REPO / 'setup.py', ('lidar', 'test', 'lint'))
    lock = pins.read_lock(REPO / 'requirements' / 'lock.txt') | {'python': '3.11.7'}
    lock.setdefault('spconv', '2.3.8')
    assert all(pins.satisfies(lock[name], bounds) for name, bounds in ranges.items())
    assert {'python', 'torch', 'mmcv', 'ruff', 'pytest'} <= set(ranges)


@pytest.mark.parametrize(('version', 'ranges', 'expected'), [
    ('2.13.0+cpu', '>=2.1,<3', True), ('2.13.0', '>=2.2', True), ('2.0.1', '>=2.1,<3', False), ('3.0', '<3', False),
    ('1.26.4', '<2', True), ('2.1', '==2.1.0', True), ('2.1.0rc1', '>=2.1', True), ('2.1', '!=2.1.0', False),
    ('1', '', True),
])
def test_versions_compare_by_number(version: str, ranges: str, expected: bool) -> None:
    assert pins.satisfies(version, ranges) is expected


def test_lock_with_an_open_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'lock.txt').write_text('# pins\nnumpy==1.26.4  # reason\ntorch>=2.0\n')
    with pytest.raises(ValueError, match=r"lock\.txt:3: expected \"name==version\".*torch>=2\.0"):
        pins.read_lock(tmp_path / 'lock.txt')


def test_misfits_are_what_is_missing_or_another_version() -> None:
    installed = {'torch': '2.13.0+cpu', 'numpy': '2.0.0'}
    assert pins.misfits(installed, {'torch': '2.13.0', 'numpy': '1.26.4', 'six': '1.17.0'}) == {
        'numpy': '1.26.4', 'six': '1.17.0'}


# ---- what the machine lacks

def test_no_compiler() -> None:
    with pytest.raises(SetupError, match=r"no C\+\+ compiler found \(tried c\+\+, g\+\+, clang\+\+\).*Install one"):
        machine.find_compiler({}, which=lambda name: None)


def test_compiler_of_cxx_is_respected() -> None:
    assert machine.find_compiler({'CXX': 'ccache g++-13'}, which=lambda name: f'/bin/{name}') == 'ccache g++-13'
    with pytest.raises(SetupError, match=r'tried icpc'):
        machine.find_compiler({'CXX': 'icpc'}, which=lambda name: None)


def test_no_headers(tmp_path: Path) -> None:
    compiler = tmp_path / 'c++'
    compiler.write_text('#!/bin/sh\necho "probe.cpp:2:10: fatal error: Python.h: No such file" >&2; exit 1\n')
    compiler.chmod(0o755)
    with pytest.raises(SetupError, match=r'does not compile C\+\+17.*Python\.h: No such file.*python3\.11-dev'):
        machine.check_compiler(str(compiler), tmp_path)


@pytest.mark.parametrize(('here', 'temporary', 'message'), [
    (1 << 30, 1 << 40, r'no room on the disk: 1\.0 GB free at .*needs 4 GB\. Free some'),
    (1 << 40, 1 << 20, r'0\.0 GB free at .*needs 1 GB.*TMPDIR'),
])
def test_no_disk_space(tmp_path: Path, here: int, temporary: int, message: str) -> None:
    def usage(folder: Path) -> Usage:
        return Usage(0, 0, here if folder == tmp_path else temporary)

    with pytest.raises(SetupError, match=message):
        machine.check_disk(tmp_path, usage)


def fake_interpreter(path: Path, **facts: Any) -> Path:
    """An executable that answers `probe.py` with made-up facts."""
    report = {'python': '3.11.7', 'implementation': 'cpython', 'prefix': str(path.parent.parent), 'packages': {},
              'marks': [], **facts}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(report)}\nEND\n")
    path.chmod(0o755)
    return path


def test_wrong_python(tmp_path: Path) -> None:
    old = fake_interpreter(tmp_path / 'python3', python='3.9.2')
    other = fake_interpreter(tmp_path / 'pypy', implementation='pypy')
    with pytest.raises(SetupError, match=r'CPython 3\.11 is needed.*cpython 3\.9\.2; .*pypy 3\.11\.7\. Install it, or '
                                         r'name one: make PYTHON='):
        interpreters.find_base(None, [old, other])
    with pytest.raises(SetupError, match=r'3\.9\.2'):
        interpreters.find_base(old, [Path(sys.executable)])


def test_python_without_venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreters, 'has_venv', lambda path: False)
    with pytest.raises(SetupError, match=r'lacks the modules venv and ensurepip .*python3\.11-venv'):
        interpreters.find_base(None, [fake_interpreter(tmp_path / 'python3')])


def test_named_python_that_is_none() -> None:
    with pytest.raises(SetupError, match=r'PYTHON=/no/such/python is no program\. Give the path'):
        cli.locate('/no/such/python')


# ---- an environment that is used as it is

def fitting_packages(extras: tuple[str, ...] = ()) -> dict[str, str]:
    lock = pins.read_lock(REPO / 'requirements' / 'lock.txt')
    return {name: lock[name] for name in pins.read_ranges(REPO / 'setup.py', extras) if name != 'python'}


@pytest.fixture
def untouched_venv(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for ``.venv``: what set-up would fall back to."""
    monkeypatch.setattr(venv_tool.Venv, 'ensure', lambda self, explicit, candidates: Path('fallback'))
    return Path('fallback')


def choose(tmp_path: Path, named: str = '', active: Path | None = None, extras: tuple[str, ...] = ()) -> Path:
    env = {'VIRTUAL_ENV': str(active.parent.parent)} if active else {}
    return cli.choose(REPO, named, extras, env, tmp_path / 'cache')


@pytest.mark.usefixtures('untouched_venv')
def test_fitting_environment_is_used_as_it_is(tmp_path: Path) -> None:
    ready = fake_interpreter(tmp_path / 'env' / 'bin' / 'python', packages=fitting_packages(), ops={'state': 'ok'})
    assert choose(tmp_path, active=ready) == ready
    assert choose(tmp_path, named=str(ready)) == ready


@pytest.mark.parametrize(('state', 'message'), [
    ('no ops', r'mmcv has no compiled operators in .*No module named .*mim install mmcv==2\.1\.0'),
    ('other torch', r'mmcv was built for another torch.*Build it for this one'),
    ('no torch', r'torch does not import'),
])
def test_environment_whose_mmcv_does_not_work(
        tmp_path: Path, untouched_venv: Path, capsys: pytest.CaptureFixture[str], state: str, message: str) -> None:
    ops = {'state': state, 'detail': "No module named 'mmcv._ext'"}
    broken = fake_interpreter(tmp_path / 'env' / 'bin' / 'python', packages=fitting_packages(), ops=ops)
    with pytest.raises(SetupError, match=message):
        choose(tmp_path, named=str(broken))
    assert choose(tmp_path, active=broken) == untouched_venv
    said = capsys.readouterr().err.strip()
    assert '\n' not in said
    assert re.search('is not used as it is: .*' + message, said)


def test_named_environment_with_misfits_is_an_error_that_lists_them_all(tmp_path: Path) -> None:
    packages = fitting_packages() | {'mmcv': '2.2.0'}
    del packages['numba']
    other = fake_interpreter(tmp_path / 'env' / 'bin' / 'python', packages=packages)
    with pytest.raises(SetupError, match=r'lacks what .* needs: mmcv 2\.2\.0 instead of >=2\.1\.0,<2\.2\.0, no numba'):
        choose(tmp_path, named=str(other))


def test_active_environment_without_torch_gives_way_in_one_line(
        tmp_path: Path, untouched_venv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = fake_interpreter(tmp_path / 'env' / 'bin' / 'python', packages={'numpy': '1.26.4'})
    assert choose(tmp_path, active=plain) == untouched_venv
    assert choose(tmp_path, named=str(plain)) == untouched_venv
    first, second = capsys.readouterr().err.strip().splitlines()
    assert re.search(r'active environment .* not used as it is: no torch, no mmengine, no mmcv, no mmdet and \d', first)
    assert 'PYTHON=' in second


def test_extras_count_only_where_they_are_needed(tmp_path: Path, untouched_venv: Path) -> None:
    ready = fake_interpreter(tmp_path / 'env' / 'bin' / 'python', packages=fitting_packages(), ops={'state': 'ok'})
    assert choose(tmp_path, active=ready) == ready
    assert choose(tmp_path, active=ready, extras=('lint',)) == untouched_venv


@pytest.mark.usefixtures('untouched_venv')
def test_operators_are_imported_once_until_something_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(interpreters, 'inspect', lambda path, ops=False: asked.append(ops) or real(path, ops))
    real = cli.inspect
    python = tmp_path / 'env' / 'bin' / 'python'
    for size, expected in ((1, 1), (1, 1), (2, 2)):
        fake_interpreter(python, packages=fitting_packages(), ops={'state': 'ok'}, marks=[['mmcv', '_ext.so', size, 0]])
        assert choose(tmp_path, active=python) == python
        assert asked.count(True) == expected


def test_probe_tells_this_environment() -> None:
    found = interpreters.inspect(Path(sys.executable))
    assert found.python.startswith('3.11.')
    assert found.packages['torch'] == metadata.version('torch')
    assert {mark[0] for mark in found.marks} == {'torch', 'mmcv'}


# ---- commands and their logs

@pytest.mark.parametrize(('output', 'message'), [
    ('OSError: [Errno 28] No space left on device', r'failed: no disk space is left\. Free about 4 GB'),
    ('NewConnectionError: Temporary failure in name resolution\nERROR: No matching distribution found for torch',
     r'failed: pip could not get the packages\. Check the network'),
    ('fatal error: Python.h: No such file or directory', r"CPython's headers are missing.*python3\.11-dev"),
    ('c++: internal compiler error: Killed', r'ran out of memory.*MAX_JOBS=1'),
    ('something new', r'installing torch failed\. The whole log is .*torch\.log'),
])
def test_failed_command_says_why_and_shows_the_end_of_its_log(tmp_path: Path, output: str, message: str) -> None:
    log = tmp_path / 'torch.log'
    job = process.Job('installing torch', [sys.executable, '-c', f'print({output!r}); raise SystemExit(1)'], log)
    with pytest.raises(SetupError, match=message) as caught:
        process.run(job)
    assert output.splitlines()[-1] in caught.value.excerpt
    assert str(log) in str(caught.value)
    assert '\n' not in str(caught.value)


def test_failure_stops_the_job_beside_it(tmp_path: Path) -> None:
    begin = time.monotonic()
    slow = process.Job('slow', ['sh', '-c', 'sleep 60 & wait'], tmp_path / 'slow.log')
    bad = process.Job('bad', ['false'], tmp_path / 'bad.log')
    with pytest.raises(SetupError, match='bad failed'), process.together() as jobs:
        jobs += [slow, bad]
    assert slow.process.poll() is not None
    assert time.monotonic() - begin < 20


def test_long_commands_give_signs_of_life(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(process, 'HEARTBEAT', 0.2)
    process.run(process.Job('building', ['sh', '-c', 'echo "[12/77] c++"; sleep 1'], tmp_path / 'log'))
    assert 'still building, 12 of 77 files' in capsys.readouterr().err


def test_interruption_stops_what_was_started(tmp_path: Path) -> None:
    job = process.Job('slow', ['sleep', '60'], tmp_path / 'log')

    def interrupted() -> None:
        with process.together() as jobs:
            jobs.append(job)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert job.process.poll() is not None


def test_lock_outlives_a_killed_set_up_as_long_as_its_command(tmp_path: Path) -> None:
    import fcntl

    with venv_tool.exclusive(tmp_path) as hold:
        job = process.Job('pip', ['sleep', '60'], tmp_path / 'log', hold=(hold,))
    descriptor = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    job.stop()
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)


# ---- the project's own environment

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
    broken = load_tool('messages').BrokenEnvironmentError('the packages in .venv do not import together', 'See the log')

    def fill(self: Any, hold: int) -> None:
        steps.append('fill')
        raise broken

    monkeypatch.setattr(venv_tool.Venv, 'prepare', lambda self, *args: bool(steps.append('prepare')))
    monkeypatch.setattr(venv_tool.Venv, 'fill', fill)
    checkout.stamp.unlink()
    with pytest.raises(SetupError, match='do not import together'):
        checkout.ensure(None, [])
    assert steps == ['prepare', 'fill', 'prepare', 'fill']


# ---- the wheel of mmcv

def test_wheel_is_kept_per_version_and_never_half(tmp_path: Path) -> None:
    cache, work = tmp_path / 'wheels', tmp_path / 'work'
    wheel = mmcv_wheel.MmcvWheel(Path('python'), '2.1.0', '2.13.0+cpu', '', cache)
    other = mmcv_wheel.MmcvWheel(Path('python'), '2.1.0', '2.13.0+cu130', '13.0', cache)
    assert wheel.folder.name.startswith('cp311-torch2.13.0+cpu-mmcv2.1.0-cpu-')
    assert other.folder.name.startswith('cp311-torch2.13.0+cu130-mmcv2.1.0-cuda13.0-')
    (work / 'wheel').mkdir(parents=True)
    (work / 'wheel' / 'mmcv-2.1.0-cp311-cp311-linux_x86_64.whl').write_text('wheel')
    assert wheel.cached is None
    kept = wheel.keep(work)
    assert kept.read_text() == 'wheel'
    assert wheel.keep(work) == kept == wheel.cached
    assert [path.name for path in cache.iterdir()] == [wheel.folder.name], 'nothing half-written stays beside it'
    assert other.cached is None
    wheel.forget()
    assert wheel.cached is None


def test_gpu_without_nvcc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mmcv_wheel.shutil, 'which', lambda name: None)
    monkeypatch.delenv('CUDA_HOME', raising=False)
    wheel = mmcv_wheel.MmcvWheel(Path('python'), '2.1.0', '2.13.0', '13.0', tmp_path)
    with pytest.raises(SetupError, match=r'GPU is usable \(CUDA 13\.0\) but nvcc is missing.*CUDA_VISIBLE_DEVICES='):
        wheel.build_job('c++', tmp_path, tmp_path / 'log')


# ---- the two commands

def test_error_is_one_line_and_the_status_tells(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(['--python', '/no/such/python']) == 1
    out, err = capfd.readouterr()
    assert out == ''
    assert re.fullmatch(r'set-up: error: PYTHON=/no/such/python is no program\. [^\n]+\n', err)


def test_make_help_lists_every_target() -> None:
    makefile = (REPO / 'Makefile').read_text()
    targets = set(re.search(r'^\.PHONY: (.+)$', makefile, flags=re.MULTILINE).group(1).split())
    # Under `make test` this is a make within a make, which would announce the directories that it enters and leaves.
    command = ['make', '--no-print-directory', 'help']
    shown = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True).stdout
    assert {line.split()[1] for line in shown.splitlines() if line.strip()} == targets
    assert {'demo', 'test', 'lint'} <= targets


def test_ci_runs_the_readme_command() -> None:
    script = REPO / '.ci' / 'run'
    assert os.access(script, os.X_OK)
    assert script.read_text().strip().endswith('exec make test')
    assert 'make test' in (REPO / 'README.md').read_text()
