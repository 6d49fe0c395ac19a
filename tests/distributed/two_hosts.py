"""A training on two hosts, one of which is cut off: it ends with an error, goes on, and ends as if nothing had been.

Two network namespaces of this machine stand for the hosts, joined by one cable (a pair of virtual interfaces). They
reach each other and nothing else. Needs Linux, the command `ip` of iproute2, and the right to make namespaces (root).

    python tests/distributed/two_hosts.py     # prints what happened, about a minute and a half on two cores
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
CONFIG = REPO / 'configs/synthetic/bevformer/bevformer_r50_1x_nus-3d.py'
NETWORK = '10.213.7.{}'
STEPS, CHECKPOINT_EVERY = 20, 5
"""The cable is cut after the first checkpoint; the steps behind it have to last until it is out."""
LONGEST = 900.0
"""Seconds after which a run counts as stuck."""
PATIENT, HASTY = 600, 30
"""Seconds that a process waits for the others: in runs that nobody cuts, and at least in the one that is cut.

The wait counts from the moment that a process has started up. On a busy machine one can be a minute ahead of the other.
"""


@dataclass(frozen=True)
class Outcome:
    """What happened.

    Args:
        timeout: Seconds that a process was to wait for the others.
        seconds: From the cut to the end of each host's job.
        messages: Last words of each host.
        resumed_from: Name of the checkpoint that the second start took up.
        difference: Largest difference of any weight from those of the undisturbed run.
        durations: Seconds of the undisturbed run, the cut one and the resumed one.
    """

    timeout: int
    seconds: tuple[float, ...]
    messages: tuple[str, ...]
    resumed_from: str
    difference: float
    durations: tuple[float, ...]


class Host:
    """A network namespace with one address, and the job that runs in it."""

    def __init__(self, rank: int) -> None:
        self.rank = rank
        self.name = f'bevdistill-{os.getpid()}-{rank}'
        self.interface = f'bevd{rank}'
        self.address = NETWORK.format(rank + 1)
        self.output: Path | None = None
        self.job: subprocess.Popen[bytes] | None = None

    def ip(self, *words: str) -> None:
        """Run `ip` for this namespace."""
        ip('-n', self.name, *words)

    def start(self, command: Sequence[str], output: Path, **variables: str) -> None:
        """Start a job; its processes are a group of their own."""
        self.output = output
        env = {**os.environ, **variables, 'GLOO_SOCKET_IFNAME': self.interface, 'NODE_RANK': str(self.rank)}
        inside = ['ip', 'netns', 'exec', self.name, *command]
        with open(output, 'wb') as file:
            self.job = subprocess.Popen(inside, env=env, stdout=file, stderr=file, start_new_session=True)

    def said(self) -> list[str]:
        """Lines that the job printed."""
        assert self.output is not None
        return self.output.read_text(errors='replace').splitlines()

    def stop(self) -> None:
        """End what is left of the job."""
        if self.job is not None and self.job.poll() is None:
            os.killpg(self.job.pid, signal.SIGKILL)
            self.job.wait()


def ip(*words: str) -> None:
    """Run `ip`; an error holds what it said."""
    done = subprocess.run(['ip', *words], capture_output=True, text=True)
    if done.returncode:
        raise OSError(f'ip {" ".join(words)}: {done.stderr.strip()}')


def obstacle() -> str | None:
    """Why this machine cannot play two hosts, or None."""
    if shutil.which('ip') is None:
        return 'the command ip (package iproute2) is not there'
    try:
        with two_hosts():
            return None
    except OSError as error:
        return str(error)


@contextmanager
def two_hosts() -> Iterator[list[Host]]:
    """Two namespaces joined by a cable; they, and what runs in them, are gone at the end."""
    hosts = [Host(0), Host(1)]
    made: list[Host] = []
    try:
        for host in hosts:
            ip('netns', 'add', host.name)
            made.append(host)
        ends = ['link', 'add', hosts[0].interface, 'netns', hosts[0].name, 'type', 'veth']
        ip(*ends, 'peer', 'name', hosts[1].interface, 'netns', hosts[1].name)
        for host in hosts:
            host.ip('addr', 'add', f'{host.address}/30', 'dev', host.interface)
            host.ip('link', 'set', 'lo', 'up')
            host.ip('link', 'set', host.interface, 'up')
        yield hosts
    finally:
        for host in made:
            host.stop()
            ip('netns', 'del', host.name)


def train(hosts: Sequence[Host], work_dir: Path, options: Sequence[str]) -> None:
    """Start a training of one process on each host, which takes up the newest checkpoint of the work dir."""
    variables = dict(NNODES='2', MASTER_ADDR=hosts[0].address, PORT='29511', PYTHON=sys.executable)
    script = str(REPO / 'tools/dist_train.sh')
    for host in hosts:
        words = [str(CONFIG), '1', '--work-dir', str(work_dir), '--resume', 'auto', '--cfg-options', *options]
        output = work_dir.with_name(f'{work_dir.name}-{host.rank}.txt')
        host.start([script, *words], output, CUDA_VISIBLE_DEVICES='', **variables)


def shown(hosts: Sequence[Host]) -> str:
    """The end of what the jobs printed."""
    return '\n'.join(f'--- host {host.rank}\n' + '\n'.join(host.said()[-60:]) for host in hosts)


def ends(hosts: Sequence[Host]) -> list[tuple[int, float]]:
    """Wait for all jobs; exit status of each, and when it came."""
    deadline, found = time.monotonic() + LONGEST, {}
    while len(found) < len(hosts):
        for host in hosts:
            assert host.job is not None
            if host.rank not in found and host.job.poll() is not None:
                found[host.rank] = (host.job.returncode, time.monotonic())
        if time.monotonic() > deadline:
            raise TimeoutError(f'still running after {LONGEST:.0f} s\n{shown(hosts)}')
        time.sleep(0.05)
    return [found[host.rank] for host in hosts]


def must_succeed(hosts: Sequence[Host]) -> None:
    """Wait for all jobs and insist on success."""
    if any(status for status, _ in ends(hosts)):
        raise RuntimeError(f'a run that was not cut failed\n{shown(hosts)}')


def wait_for(path: Path, hosts: Sequence[Host]) -> None:
    """Wait until a file is there, while the jobs run."""
    deadline = time.monotonic() + LONGEST
    while not path.exists():
        if time.monotonic() > deadline or any(host.job is not None and host.job.poll() is not None for host in hosts):
            raise RuntimeError(f'{path.name} never came\n{shown(hosts)}')
        time.sleep(0.02)


def largest_difference(first: Path, second: Path) -> float:
    """Largest difference of any weight of two checkpoints with the same names."""
    import torch

    a, b = (torch.load(path, map_location='cpu', weights_only=True)['state_dict'] for path in (first, second))
    assert a.keys() == b.keys()
    return max(float((a[name].double() - b[name].double()).abs().max()) for name in a)


def last_words(host: Host) -> str:
    """The line that train.py ends with."""
    return next((line for line in reversed(host.said()) if line.startswith('train.py: error: ')), '(none)')


def data_options(root: Path, infos: Path) -> list[str]:
    """Overrides that give the config a tiny data set: one sample per process and step, no validation."""
    data = ('dataset.dataset.data_root', root), ('dataset.dataset.ann_file', infos / 'nuscenes_infos_train.msgpack.gz')
    loader = (*data, ('num_workers', 0), ('persistent_workers', False), ('batch_size', 1))
    found = [f'train_dataloader.{key}={value}' for key, value in loader]
    return [*found, 'val_dataloader=None', 'val_evaluator=None', 'val_cfg=None']


def play(root: Path, infos: Path, folder: Path) -> Outcome:
    """Train undisturbed, train with a cut, resume, and compare.

    Whoever is cut off waits as long as the undisturbed run took: then the two processes of a run, which a busy machine
    starts at different times, do not give each other up before the cut.

    Args:
        root: A synthetic nuScenes.
        infos: Folder of its information files.
        folder: Where work dirs and outputs go.
    """
    shared = [
        *data_options(root, infos),
        f'train_cfg.max_iters={STEPS}',
        f'default_hooks.checkpoint.interval={CHECKPOINT_EVERY}',
        'default_hooks.checkpoint.max_keep_ckpts=-1',
    ]
    patient = [*shared, f'env_cfg.dist_cfg.timeout={PATIENT}']
    last = f'iter_{STEPS}.pth'
    durations = []
    with two_hosts() as hosts:
        begin = time.monotonic()
        train(hosts, folder / 'whole', patient)
        must_succeed(hosts)
        durations.append(time.monotonic() - begin)

        timeout = min(max(HASTY, round(durations[0])), PATIENT)
        begin = time.monotonic()
        train(hosts, folder / 'cut', [*shared, f'env_cfg.dist_cfg.timeout={timeout}'])
        wait_for(folder / 'cut' / f'iter_{CHECKPOINT_EVERY}.pth', hosts)
        hosts[1].ip('link', 'set', hosts[1].interface, 'down')
        cut = time.monotonic()
        ended = ends(hosts)
        durations.append(time.monotonic() - begin)
        messages = tuple(last_words(host) for host in hosts)
        if not all(status for status, _ in ended) or (folder / 'cut' / last).exists():
            raise RuntimeError(f'a cut run ended as if nothing had happened\n{shown(hosts)}')
        resumed_from = (folder / 'cut' / 'last_checkpoint').read_text().rpartition('/')[2]

        hosts[1].ip('link', 'set', hosts[1].interface, 'up')
        begin = time.monotonic()
        train(hosts, folder / 'cut', patient)
        must_succeed(hosts)
        durations.append(time.monotonic() - begin)
    difference = largest_difference(folder / 'cut' / last, folder / 'whole' / last)
    return Outcome(timeout, tuple(at - cut for _, at in ended), messages, resumed_from, difference, tuple(durations))


def main() -> None:
    """Make a data set, play, print."""
    reason = obstacle()
    if reason is not None:
        sys.exit(f'two_hosts.py: this machine cannot play two hosts: {reason}')
    sys.path.insert(0, str(REPO))
    from bevdistill.datasets.infos import create_nuscenes_infos
    from bevdistill.synthetic import make_dataset

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = make_dataset(folder / 'data', 'tiny', 'v1.0-mini', progress=False)
        create_nuscenes_infos(root, 'v1.0-mini')
        outcome = play(root, root, folder)
    whole, cut, resumed = outcome.durations
    print(f'undisturbed: {STEPS} steps on two hosts, {whole:.0f} s')
    print(f'cut off after {CHECKPOINT_EVERY} steps, time-out {outcome.timeout} s; the run ended after {cut:.0f} s')
    for rank, (seconds, message) in enumerate(zip(outcome.seconds, outcome.messages, strict=True)):
        print(f'  host {rank} ended {seconds:.1f} s after the cut: {message}')
    print(f'resumed from {outcome.resumed_from}, {resumed:.0f} s; weights differ by at most {outcome.difference}')


if __name__ == '__main__':
    main()
