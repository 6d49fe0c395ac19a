"""Config of a command line: read with its overrides before torch is loaded."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bevdistill.cli.arguments import add_overrides, add_run
from bevdistill.cli.loading import config_of, say

REPO = Path(__file__).resolve().parents[2]


def parsed(words: list[str], add: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument('config')
    add(parser)  # type: ignore[operator]
    return parser.parse_args(words)


def test_a_run_and_a_tool_read_the_config_with_its_overrides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / 'small.py'
    file.write_text('model = dict(depth=18)\ntrain_dataloader = dict()\n')
    words = [str(file), '--cfg-options', 'model.depth=50', '--cfg-options', '+model.width=1']
    cfg = config_of(parsed(words, add_overrides))
    assert (cfg.model.depth, cfg.model.width, cfg.work_dir, cfg.launcher) == (50, 1, 'work_dirs/small', 'none')
    assert capsys.readouterr().err.splitlines()[0] == f'reading {file}'
    words = [str(file), '--work-dir', 'x', '--launcher', 'slurm']
    cfg = config_of(parsed(words, lambda parser: add_run(parser, 'logs')))
    assert (cfg.model.depth, cfg.work_dir, cfg.launcher) == (18, 'x', 'slurm')


def test_custom_imports_of_the_command_line_are_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'mine_of_loading.py').touch()
    (tmp_path / 'config.py').write_text("custom_imports = dict(imports=['mine_of_loading'])\n")
    monkeypatch.syspath_prepend(tmp_path)
    config_of(parsed([str(tmp_path / 'config.py')], add_overrides))
    assert 'mine_of_loading' in sys.modules
    words = [str(tmp_path / 'config.py'), '--cfg-options', "custom_imports.imports=['absent_module']"]
    with pytest.raises(ImportError, match='absent_module'):
        config_of(parsed(words, add_overrides))


@pytest.mark.parametrize(('variable', 'rank', 'shown'), [('RANK', '1', ''), ('SLURM_PROCID', '0', 'hello\n')])
def test_only_the_first_process_speaks(
    variable: str, rank: str, shown: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ('RANK', 'SLURM_PROCID'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, rank)
    say('hello')
    assert capsys.readouterr().err == shown


def test_wrong_overrides_and_checkpoints_are_told_before_torch_is_loaded(tmp_path: Path) -> None:
    text = "custom_imports = dict(imports=['bevdistill'])\nmodel = dict(depth=18)\ntrain_dataloader = dict()\n"
    (tmp_path / 'config.py').write_text(text)
    (tmp_path / 'mine.py').write_text('x = 1\n')
    code = (
        'import sys\n'
        'from bevdistill.cli.main import main\n'
        "code = main(['train', 'config.py', '--cfg-options', 'model.dpeth=50'])\n"
        "code += main(['train', 'config.py', '--resume', 'absent.pth'])\n"
        "code += main(['train', 'mine.py'])\n"
        "code += main(['test', 'config.py', 'absent.pth'])\n"
        "print(code, 'torch' in sys.modules)\n"
    )
    env, command = {**os.environ, 'PYTHONPATH': str(REPO)}, [sys.executable, '-c', code]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert done.stdout == '4 False\n'
    assert done.stderr.splitlines()[0] == 'reading config.py'
    assert "did you mean 'model.depth'?" in done.stderr
    assert 'mine.py: expected the config of a run, found one without model and train_dataloader' in done.stderr
    assert done.stderr.count(f'no checkpoint {tmp_path / "absent.pth"}; checkpoints in that folder: none') == 2
