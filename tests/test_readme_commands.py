"""The README's commands are what the tools take: every file exists, every flag is known.

That the commands do their work is shown elsewhere in their smallest form: tests/tools, and the demo's quick size, which
runs make_synthetic_nuscenes.py, create_data.py, train.py, test.py and visualize.py one after the other.
"""

from __future__ import annotations

import re
import runpy
import shlex
import sys
from functools import cache
from pathlib import Path

import pytest

from bevdistill.cli.main import module_of, verb_parser

REPO = Path(__file__).resolve().parents[1]


def commands() -> list[list[str]]:
    blocks = re.findall(r'^```bash\n(.*?)^```', (REPO / 'README.md').read_text(), flags=re.MULTILINE | re.DOTALL)
    lines = '\n'.join(blocks).replace('\\\n', ' ').splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith('python tools/')]


def verbs() -> list[list[str]]:
    text = (REPO / 'README.md').read_text()
    return [shlex.split(line, comments=True)[1:] for line in re.findall(r'^bevdistill .*', text, flags=re.MULTILINE)]


@cache
def usage(tool: str) -> str:
    """What a tool prints for ``--help``, in this process: importing the stack once is enough."""
    import contextlib
    import io

    text, argv, path = io.StringIO(), sys.argv, list(sys.path)
    sys.argv = [tool, '--help']
    try:
        with contextlib.redirect_stdout(text), pytest.raises(SystemExit) as end:
            runpy.run_path(str(REPO / tool), run_name='__main__')
    finally:
        sys.argv, sys.path[:] = argv, path
    assert end.value.code == 0
    return text.getvalue()


def test_there_are_commands():
    assert len(commands()) >= 8


@pytest.mark.parametrize('command', commands(), ids=' '.join)
def test_command_fits_its_tool(command: list[str]):
    tool, *words = command
    assert (REPO / tool).is_file()
    known = set(re.findall(r'--[a-z-]+', usage(tool)))
    for word in words:
        if word.startswith('--'):
            assert word in known, f'{tool} has no {word}'
        elif word.startswith('configs/'):
            assert (REPO / word).is_file(), f'{word} does not exist'


@pytest.mark.parametrize('words', verbs(), ids=' '.join)
def test_verb_is_one_and_its_flags_are_known(words: list[str]):
    verb = words[0]
    if verb in ('VERB', '--help'):
        return
    known = verb_parser(module_of(verb), verb).format_help()
    assert all(f'{word} ' in known for word in words if word.startswith('--'))


def test_there_are_verbs():
    assert len(verbs()) >= 4
