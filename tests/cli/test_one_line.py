"""Errors in one line: whose they are, what is said, where the traceback of a defect lies."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest
from mmengine.registry import Registry
from torch._utils import ExceptionWrapper

from bevdistill.cli.one_line import is_users, one_line


def made_by(code: str, module: str, file: str = 'made') -> Exception:
    try:
        exec(compile(code, file, 'exec'), {'__name__': module})
    except Exception as error:
        return error
    raise AssertionError('the code raises nothing')


@pytest.mark.parametrize(('code', 'module', 'users'), [
    ("raise ValueError('a word for people')", 'bevdistill.engine.launch', True),
    ("raise ValueError('a word for people')", 'projects.fitnet', True),
    ("raise ValueError('a word for people')", 'benchmarks.models', True),
    ('import not_installed', 'projects.fitnet', True),
    ("raise ValueError('a defect')", 'torch.nn', False),
    ("raise ValueError('a defect')", 'bevdistill_other', False),
    ("int('x')", 'numpy', False),
    ("open('/absent/file')", 'numpy', True),
    ("raise ConnectionError('gone')", 'torch', True),
    ('raise ImportError("pip install wandb")', 'mmengine.visualization.vis_backend', True),
    ("raise KeyError('x')", 'bevdistill.engine', False),
    ("raise KeyError('X is not in the registry')", 'mmengine.registry.build_functions', True),
])  # fmt: skip
def test_mistakes_of_the_user(code: str, module: str, users: bool) -> None:
    assert is_users(made_by(code, module)) is users


def test_words_of_people_are_said_as_they_are() -> None:
    assert one_line(made_by("raise ValueError('two\\n  lines')", 'bevdistill.cli')) == 'two lines'
    assert one_line(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), 'a/b')) == 'No space left on device'
    absent = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), 'a.pkl')
    assert one_line(absent) == 'a.pkl: No such file or directory'
    behind = "try:\n    raise ValueError('ours')\nexcept ValueError as e:\n    raise RuntimeError('theirs') from e"
    assert one_line(made_by(behind, 'bevdistill.cli')) == 'ours'


def test_what_a_config_asks_of_the_registry() -> None:
    class Known:
        def __init__(self, width: int) -> None:
            self.width = width

    registry = Registry('thing')
    registry.register_module(module=Known)
    for config, message in (({'type': 'Other'}, 'Other is not in the'), ({'type': 'Known', 'wdth': 1}, "'wdth'")):
        with pytest.raises((KeyError, TypeError)) as raised:
            registry.build(config)
        assert message in one_line(raised.value)
        assert 'a defect' not in one_line(raised.value)


@pytest.mark.parametrize(('code', 'file', 'line'), [
    ("raise ValueError('sample a: x.bin: cut off')", 'a/bevdistill/datasets/x.py', 'sample a: x.bin: cut off'),
    ("raise FileNotFoundError('no file: b')", 'a/bevdistill/datasets/x.py', 'no file: b'),
    ("raise ValueError('theirs')", 'a/torch/x.py', 'ValueError: Caught ValueError in'),
])  # fmt: skip
def test_errors_of_a_worker_of_the_loader(code: str, file: str, line: str) -> None:
    try:
        exec(compile(code, file, 'exec'), {'__name__': 'worker'})
    except Exception:
        wrapped = ExceptionWrapper(where='in DataLoader worker process 0')
    with pytest.raises((ValueError, OSError)) as raised:
        wrapped.reraise()
    said = one_line(raised.value)
    assert said.startswith(line)
    assert '\n' not in said


def test_the_traceback_of_a_defect_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    said = one_line(made_by("raise KeyError('x')", 'bevdistill.engine'))
    file = re.search(r"^KeyError: 'x' \(a defect, or .*; traceback in (.*)\)$", said)
    assert file is not None
    assert 'Traceback' in Path(file[1]).read_text()
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path / 'absent'))
    assert 'run it again with --traceback' in one_line(RuntimeError('x'))


def test_a_full_memory_says_what_needs_less() -> None:
    class OutOfMemoryError(RuntimeError):
        """As torch has it."""

    for error in (
        MemoryError(), MemoryError('Unable to allocate 27.9 GiB'), OutOfMemoryError('CUDA out of memory. Tried 2 GiB'),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
    ):  # fmt: skip
        advice = 'take smaller batches or images; docs/training.md has what else needs less'
        words = error.args[0] if error.args else 'no more is known'
        assert one_line(error) == f'the memory is full: {advice} ({words})'


@pytest.mark.parametrize(('kind', 'words', 'name'), [
    ('ModuleNotFoundError', "No module named 'mmcv'", 'mmcv'),
    ('ModuleNotFoundError', "No module named 'mmcv._ext'", 'mmcv._ext'),
    ('ImportError', '/env/mmcv/_ext.so: undefined symbol: _ZN5torch', 'mmcv._ext'),
])  # fmt: skip
def test_mmcv_without_operators_names_the_command(kind: str, words: str, name: str) -> None:
    said = one_line(made_by(f'raise {kind}({words!r}, name={name!r})', 'mmcv.utils.ext_loader'))
    assert said == (f'{words}. mmcv is not there with operators for this torch; '
                    '"bevdistill mmcv" compiles and installs it, in 3 minutes')  # fmt: skip
    other = made_by('raise ModuleNotFoundError("No module named \'a\'", name="a")', 'mmcv.utils.ext_loader')
    assert 'a defect' in one_line(other)


def test_lines_become_sentences() -> None:
    assert one_line(OSError('a (20, 128) in the model\nUse the config')) == 'a (20, 128) in the model. Use the config'
    assert one_line(OSError('Go on with\n  bevdistill cache\n\nNDS.\nThen')) == 'Go on with bevdistill cache NDS. Then'
