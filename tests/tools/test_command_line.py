"""What the command lines of the tools share."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def command_line(load_tool: Callable[[str], ModuleType]) -> ModuleType:
    return load_tool('command_line.py')


@pytest.mark.parametrize(('count', 'total', 'expected'), [(1, 10, [5]), (2, 10, [2, 7]), (4, 3, [0, 1, 2]), (3, 0, [])])
def test_samples_are_spread_over_all(command_line: ModuleType, count: int, total: int, expected: list[int]) -> None:
    assert command_line.spread(count, total) == expected


def test_samples_by_number_or_by_name(command_line: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    command_line.add_samples(parser, '--index', type=int)
    assert parser.parse_args([]) == argparse.Namespace(num=4, index=[])
    assert parser.parse_args(['--index', '3', '5']).index == [3, 5]
    for words, message in (('--num 0', 'must be at least 1, got 0'), ('--num 2 --index 1', 'not allowed')):
        with pytest.raises(SystemExit):
            parser.parse_args(words.split())
        assert message in capsys.readouterr().err


def test_a_run_and_a_tool_read_the_config_with_its_overrides(command_line: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / 'small.py'
    file.write_text('model = dict(depth=18)\n')
    parser = argparse.ArgumentParser()
    parser.add_argument('config')
    command_line.add_overrides(parser)
    words = [str(file), '--cfg-options', 'model.depth=50', '--cfg-options', '+a=1']
    cfg = command_line.config_of(parser.parse_args(words))
    assert (cfg.model.depth, cfg.a, cfg.work_dir, cfg.launcher) == (50, 1, 'work_dirs/small', 'none')
    parser = argparse.ArgumentParser()
    parser.add_argument('config')
    command_line.add_run(parser, 'logs')
    cfg = command_line.config_of(parser.parse_args([str(file), '--work-dir', 'x', '--launcher', 'slurm']))
    assert (cfg.model.depth, cfg.work_dir, cfg.launcher) == (18, 'x', 'slurm')


def test_mistakes_of_the_user_are_one_line_and_all_else_is_not_touched(command_line: ModuleType) -> None:
    with pytest.raises(SystemExit) as end, command_line.mistakes_in_words('a.py'):
        raise FileNotFoundError('no file b')
    assert end.value.code == 'a.py: error: no file b'
    with pytest.raises(SystemExit, match='gone'), command_line.mistakes_in_words('a.py', ConnectionError):
        raise ConnectionError('gone')
    with pytest.raises(ValueError, match='a bug'), command_line.mistakes_in_words('a.py', ConnectionError):
        raise ValueError('a bug')


def test_help_imports_nothing_heavy() -> None:
    code = (
        'import runpy, sys\n'
        "sys.argv = ['train.py', '--help']\n"
        'try:\n'
        "    runpy.run_path('tools/train.py', run_name='__main__')\n"
        'except SystemExit:\n'
        "    print(sorted({'torch', 'mmengine', 'bevdistill'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, '-c', code], cwd=REPO, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == '[]'
