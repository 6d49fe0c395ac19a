"""Every command of README, docs and --help is run in its order on the tiny data, or listed with the reason why not.

What is not run is parsed. In the first page's section for two CPU cores trainings, tests and scores are real; elsewhere
a command does all but the steps: it reads its config and overrides, finds its files, and leaves those that come out.
"""

from __future__ import annotations

import glob
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from documented_commands import (
    HELPS,
    NOT_RUN,
    PAGES,
    REAL,
    REPO,
    START,
    as_verb,
    commands_of,
    help_commands,
    page_commands,
    reason,
    substituted,
)  # fmt: skip
from mmengine.config import Config
from own_data import made_up_sample, write_samples

import bevdistill.synthetic
from bevdistill.cli.main import main, module_of, verb_parser
from bevdistill.engine import launch

pytestmark = pytest.mark.usefixtures('one_thread')

TINY = """_base_ = {base!r}
train_dataloader = dict(batch_size=1, num_workers=0, persistent_workers=False)
val_dataloader = dict(num_workers=0, persistent_workers=False)
test_dataloader = dict(num_workers=0, persistent_workers=False)
train_cfg = dict(max_iters=1, val_interval=1)
default_hooks = dict(checkpoint=dict(interval=1))
"""


class StandIn:
    """A runner that leaves the files of a run at the size that the config says, without running it."""

    def __init__(self, cfg: Config) -> None:
        self.cfg, self.model, self.log_dir = cfg, None, f'{cfg.work_dir}/20260101_000000'
        Path(self.log_dir).mkdir(parents=True, exist_ok=True)
        self.val_loop = SimpleNamespace(evaluator=SimpleNamespace(metrics=[None]))

    def register_hook(self, hook: Any) -> None:
        """Take the hook that stops on signals; there are no iterations to stop after."""

    def train(self) -> None:
        """Leave the last checkpoint; a distillation needs its teacher's, as it does at its start."""
        side = 'teacher'
        if self.cfg.model.type == 'BEVDistiller':
            side = 'distilled'
            assert Path(str(self.cfg.model.teacher_checkpoint)).is_file()
        loop = self.cfg.train_cfg
        last = f'epoch_{loop.max_epochs}.pth' if 'max_epochs' in loop else f'iter_{loop.max_iters}.pth'
        shutil.copy(f'runs/{side}/iter_1.pth', f'{self.cfg.work_dir}/{last}')

    def test(self) -> dict[str, float]:
        """Leave a result."""
        metrics = {'nuscenes/NDS': 0.1, 'nuscenes/mAP': 0.1}
        Path(f'{self.log_dir}/20260101_000000.json').write_text(json.dumps(metrics))
        return metrics


def write_config(name: str, real: bool) -> None:
    """Write a config of a documented name: itself, or where it is run its tiniest form."""
    if (REPO / name).is_file():
        file, base = Path(name), str(REPO / name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(TINY.format(base=base) if real else f'_base_ = {base!r}\n')


@pytest.fixture
def place(tmp_path: Path, synthetic_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, with the generator's tiny root in place of a new one."""

    def made(out: str, *_: Any) -> Path:
        folder = Path(out)
        folder.mkdir(parents=True, exist_ok=True)
        for entry in synthetic_root.iterdir():
            if not (folder / entry.name).exists():
                (folder / entry.name).symlink_to(entry)
        return folder

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bevdistill.synthetic, 'make_dataset', made)
    made('data/nuscenes')
    own = Path('data/own')
    own.mkdir()
    write_samples(own, [made_up_sample(own, index) for index in range(3)])
    return tmp_path


def run(command: str, real: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    words = as_verb(command)
    assert words is not None, f'neither run nor listed in NOT_RUN: {command}'
    words = substituted(words, real)
    if words[0] == 'describe':
        words.append('--no-flops')
    if words[0] in ('cp', 'export'):
        Path(words[2]).unlink(missing_ok=True)
    for word in words:
        if word.startswith('configs/') and words[0] != 'describe':
            write_config(word, real)
    words = [found for word in words for found in (sorted(glob.glob(word)) if '*' in word else [word])]
    with monkeypatch.context() as patch:
        if not real:
            patch.setattr(launch, 'build_runner', StandIn)
        try:
            code = main(words)
        except SystemExit as end:
            code = int(end.code or 0)
    assert code == 0, f'{command}\nrun as: bevdistill {" ".join(words)}'


def parses(command: str) -> None:
    """The words of a command that is not run fit its verb, and its configs exist."""
    words = as_verb(command)
    for word in re.findall(r'(?<![\w/-])configs/[\w/.-]+', command):
        assert (REPO / word).exists(), f'{word} does not exist: {command}'
    script = re.match(r'(?:\w+=\S+ )*(tools/\S+\.sh)', command)
    assert script is None or (REPO / script[1]).is_file(), command
    if words is not None:
        verb_parser(module_of(words[0]), words[0]).parse_args([word.replace('*', '') for word in words[1:]])


@pytest.mark.slow  # each of them, in one
def test_every_command_runs_in_its_order(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first page first, whose runs the others use."""
    commands = [entry for page in PAGES for entry in page_commands(page)]
    commands += [(command, False) for name in HELPS for command in help_commands(name)]
    assert sum(real for _, real in commands) >= 9
    for command, real in commands:
        if reason(command):
            parses(command)
        else:
            run(command, real, monkeypatch)
    section = (REPO / START).read_text().split(f'## {REAL}')[1].split('\n## ')[0]
    named = set(re.findall(r'\b(?:runs/\w+/iter_\d+\.pth|results\w*\.\w+|student\.pth)', section))
    assert len(named) >= 8
    for name in named:
        assert (place / substituted([name], True)[0]).is_file(), name
    (tested,) = (place / 'runs/exported').glob('*/tested.json')
    assert json.loads(tested.read_text())['checkpoint'].endswith('student.pth')


def test_what_is_listed_is_written() -> None:
    written = [command for page in PAGES for command, _ in page_commands(page)]
    written += [command for name in HELPS for command in help_commands(name)]
    assert len(written) > 90
    for pattern in NOT_RUN:
        assert any(re.search(pattern, command) for command in written), f'no command is like {pattern}'


def test_a_new_command_has_to_be_run_or_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert commands_of('a b \\\n  c  # d\n\n# e\nf') == ['a b c', 'f']
    with pytest.raises(AssertionError, match='neither run nor listed in NOT_RUN: ninja build'):
        run('ninja build', False, monkeypatch)
    with pytest.raises(SystemExit):
        parses('bevdistill compare runs --no-such-flag')
    with pytest.raises(AssertionError, match='does not exist'):
        parses('torchrun tools/train.py configs/absent.py')
