"""The list of configs."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_runs import Run

from bevdistill.cli.config_files import first_note, shipped_configs
from bevdistill.engine import shipped

REPO = Path(__file__).resolve().parents[2]


def test_every_config_has_a_line_with_what_it_is(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPO)
    done = run('ls')
    lines = done.out.splitlines()
    assert done.code == 0
    assert len(lines) == len(shipped_configs(REPO)) > 80
    for line in lines:
        path, _, note = line.partition(' ')
        assert (REPO / path).is_file()
        assert note.strip(), f'{path} has no lab note'
        assert '_base_' not in Path(path).parts
    assert any(line.startswith('projects/fitnet/configs/') for line in lines)


def test_words_choose(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPO)
    lines = run('ls', 'SYNTHETIC', 'object_dgcnn').out.splitlines()
    assert lines
    assert all(line.startswith('configs/synthetic/object_dgcnn/') for line in lines if 'object_dgcnn/' in line)
    done = run('ls', 'no such', 'thing')
    assert (done.code, done.out) == (1, "no config has 'no such' and 'thing' in its path or note\n")


@pytest.mark.parametrize(('text', 'note'), [
    ('# One line.\n#\n# Command x\n', 'One line.'),
    ('# Two\n# lines.\na = 1\n', 'Two lines.'),
    ('a = 1\n# later\n', ''),
    ('', ''),
])
def test_first_paragraph_of_a_note(text: str, note: str, tmp_path: Path) -> None:
    (tmp_path / 'c.py').write_text(text)
    assert first_note(tmp_path / 'c.py') == note


def test_a_package_without_configs_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, '_PACKAGE', tmp_path / 'bevdistill')
    with pytest.raises(FileNotFoundError, match='install the wheel again, or use a checkout'):
        shipped.shipped_root()
