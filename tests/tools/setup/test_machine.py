"""The one line that set-up says about what a machine lacks."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path

import pytest
from setup_parts import SetupError, machine

Usage = namedtuple('Usage', 'total used free')



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
