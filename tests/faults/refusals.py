"""Faults that a command has to name in one line, after which the same command goes on."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from faults import forks
from faults.forks import forked
from toy_run import write_config

from bevdistill.checkpoints.find import latest_checkpoint
from bevdistill.cli.main import main

if TYPE_CHECKING:
    from faults.run import Faults

KEEP_TWO = """
train_cfg.update(max_iters=24)
default_hooks['checkpoint'].update(interval=2, max_keep_ckpts=2)
"""
FLIPS = 20
WORKER_SECONDS, RANK_SECONDS = 5, 8


def damage(faults: Faults) -> None:
    """Damage the newest of two checkpoints, a test's checkpoint, records of a cache."""
    job, good = faults.jobs['train, toy'], faults.folder()
    config = write_config(faults.place, by_iter=True, extra=KEEP_TWO).rename(faults.place / 'keep_two.py')

    def train(folder: Path) -> Any:
        return main(['train', str(config), '--work-dir', str(folder / 'run'), '--resume'])

    forked(lambda: train(good), good / 'log')
    for number in range(3 + FLIPS):
        how = ('truncated', 'empty', 'zeros')[number] if number < 3 else 'a flipped bit'
        folder = faults.folder()
        shutil.copytree(good / 'run', folder / 'run')
        newest = folder / 'run' / 'iter_24.pth'
        _break(newest, how, faults.draw)
        if how != 'a flipped bit':
            words = ['test', str(config), str(newest), '--work-dir', str(folder / 'test')]
            tested = forked(lambda words=words: main(words), folder / 'log')  # type: ignore[misc]
            faults.tally.count(f'tested checkpoint: {how}', tested.one_line, tested.said[-400:])
            faults.tally.notes[f'tested checkpoint: {how}'] = tested.error.replace(str(faults.place), '')
        ended = forked(lambda folder=folder: train(folder), folder / 'log')  # type: ignore[misc]
        same = ended.status == 0 and job.made(folder) == faults.wanted['train, toy']
        faults.tally.count(f'newest checkpoint: {how}', same, f'status {ended.status}: {ended.said[-400:]}')
        shutil.rmtree(folder)
    _cache_records(faults)


def _break(file: Path, how: str, draw: Any) -> None:
    content = bytearray(file.read_bytes())
    if how == 'truncated':
        del content[draw.randrange(1, len(content)) :]
    elif how == 'empty':
        content.clear()
    elif how == 'zeros':
        content[:] = bytes(len(content))
    else:
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    file.write_bytes(content)


def _cache_records(faults: Faults) -> None:
    folder = faults.folder()
    forked(lambda: faults.jobs['cache'].run(folder), folder / 'log')
    one, two = sorted((folder / 'cache').glob('records/*/*.bin'))[:2]
    good = one.read_bytes()
    options = [f'model.teacher_cache={folder / "cache"}', f'model.teacher_checkpoint={faults.place / "teacher.pth"}']
    config = str(faults.place / 'distilled.py')
    command = ['train', config, '--work-dir', str(folder / 'run'), '--cfg-options', *options]
    for how, content in (('zeros', bytes(len(good))), ('of another sample', two.read_bytes())):
        one.write_bytes(content)
        ended = forked(lambda: main(command), folder / 'log')
        refused = ended.status == 1 and 'is damaged' in ended.said and one.stem in ended.said
        faults.tally.count(f'record of a teacher cache: {how}', refused, ended.said[-400:])
    one.unlink()
    forked(lambda: faults.jobs['cache'].run(folder), folder / 'log')
    faults.tally.count('record of a teacher cache: made again', one.read_bytes() == good)
    shutil.rmtree(folder)


def full_and_read_only(faults: Faults) -> None:
    """Run commands where files may not grow (a full disk) and where nothing may be written."""
    limits = {
        'train, toy': (faults.place / 'trained.pth').stat().st_size - 500, 'synthetic': 20_000, 'cache': 100_000,
    }  # fmt: skip
    for name in ('train, toy', 'synthetic', 'create', 'cache', 'test'):
        faults_of = [('read-only folder', dict(without_rights=True))]
        if name in limits:
            faults_of.append(('full disk', dict(file_limit=limits[name])))
        for label, options in faults_of:
            job, folder = faults.jobs[name], faults.folder()
            run = job.run
            if name == 'synthetic':  # Of another size, which is never written.
                run = _tiny
            if name == 'test':
                shutil.copy(faults.place / 'trained.pth', folder / 'iter_24.pth')
            if label == 'read-only folder':
                (folder / 'log').touch()
                folder.chmod(0o555)
            ended = forked(lambda run=run, folder=folder: run(folder), folder / 'log', **options)  # type: ignore[misc]
            folder.chmod(0o755)
            faults.tally.count(f'{label}: {name}', ended.one_line, f'status {ended.status}: {ended.said[-600:]}')
            faults.tally.notes[f'{label}: {name}'] = ended.error.replace(str(faults.place), '')
            faults.finish(f'{label}: {name}', job, folder)


def _tiny(folder: Path) -> Any:
    return main(['synthetic', str(folder / 'data'), '--preset', 'tiny', '--version', 'v1.0-mini', '--workers', '1'])


def lost_parts(faults: Faults) -> None:
    """Kill and stop a worker of the data loader, and one of two ranks."""
    extra = KEEP_TWO + f"train_dataloader.update(timeout={WORKER_SECONDS})\ntrain_cfg.update(max_iters=4000)\n"
    config = write_config(faults.place, by_iter=True, workers=1, extra=extra).rename(faults.place / 'workers.py')
    for number in (signal.SIGKILL, signal.SIGSTOP):
        folder = faults.folder()
        child = forks.start(
            lambda folder=folder: main(['train', str(config), '--work-dir', str(folder / 'run')]),  # type: ignore[misc]
            folder / 'log',
        )
        worker = _when(lambda child=child: psutil.Process(child).children(), folder)  # type: ignore[misc]
        os.kill(worker[0].pid, number)
        ended = forks.wait(child, folder / 'log', time.monotonic())
        label = f'{number.name} to a worker of the data loader'
        faults.tally.count(label, ended.one_line and ended.seconds < WORKER_SECONDS + 15, ended.said[-600:])
        faults.tally.notes[f'{label}, {ended.seconds:.1f} s later'] = ended.error
        shutil.rmtree(folder)
    config = write_config(faults.place, by_iter=True, extra=KEEP_TWO + (
        f"train_cfg.update(max_iters=100000)\nenv_cfg = dict(dist_cfg=dict(timeout={RANK_SECONDS}))\n"
    )).rename(faults.place / 'ranks.py')  # fmt: skip
    for port, number in ((29741, signal.SIGKILL), (29742, signal.SIGSTOP)):
        _lost_rank(faults, config, port, number)


def _lost_rank(faults: Faults, config: Path, port: int, number: signal.Signals) -> None:
    folder = faults.folder()

    def rank(index: int) -> Any:
        os.environ.update(
            RANK=str(index), LOCAL_RANK=str(index), WORLD_SIZE='2', MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port)
        )
        return main(['train', str(config), '--work-dir', str(folder / 'run'), '--resume', '--launcher', 'pytorch'])

    ranks = [forks.start(lambda index=index: rank(index), folder / f'log{index}') for index in range(2)]  # type: ignore[misc]
    _when(lambda: list((folder / 'run').glob('iter_*.pth')), folder)
    os.kill(ranks[1], number)
    ended = forks.wait(ranks[0], folder / 'log0', time.monotonic())
    os.killpg(ranks[1], signal.SIGKILL)
    forks.wait(ranks[1], folder / 'log1', time.monotonic())
    label = f'{number.name} to one of two ranks'
    good = ended.status == 1 and 'lost contact' in ended.error and ended.seconds < RANK_SECONDS + 15
    good = good and latest_checkpoint(folder / 'run') is not None
    faults.tally.count(label, good, f'status {ended.status}: {ended.said[-600:]}')
    faults.tally.notes[f'{label}, {ended.seconds:.1f} s later'] = ended.error.replace(str(faults.place), '')
    shutil.rmtree(folder)


def _when(look: Any, folder: Path, seconds: float = 60.0) -> Any:
    """Wait until there is something, then a little longer."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            time.sleep(0.5)
            return found
        time.sleep(0.05)
    logs = '\n'.join(file.read_text()[-500:] for file in folder.glob('log*'))
    raise RuntimeError(f'nothing happened in {seconds:g} s: {logs}')
