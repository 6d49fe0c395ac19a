"""Start and end the process group of a run, with or without an accelerator."""

from __future__ import annotations

import logging
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch.distributed as dist
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import all_gather_object, get_rank
from mmengine.logging import print_log
from torch.distributed.elastic.multiprocessing.errors import get_error_handler

from ..checkpoints.damage import DamagedCheckpointError
from ..checkpoints.find import latest_checkpoint
from ..distributed import HostDistributedDataParallel
from .devices import choose_card

_TORCHRUN = ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT')
_SLURM = ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_NODELIST', 'SLURM_LOCALID')
_STARTS = {
    ('train', 'pytorch'): 'torchrun --nproc_per_node=N tools/train.py CONFIG --launcher pytorch, or '
    'tools/dist_train.sh CONFIG N',
    ('train', 'slurm'): 'tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR',
    ('test', 'pytorch'): 'torchrun --nproc_per_node=N tools/test.py CONFIG CHECKPOINT --launcher pytorch, or '
    'tools/dist_test.sh CONFIG CHECKPOINT N',
    ('test', 'slurm'): 'tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT',
}
# What gloo (as a plain RuntimeError), torch's store and NCCL say when a peer is gone. They say other things when the
# program is wrong.
_LOST = (
    'timed out waiting', 'connection closed by peer', 'connection reset by peer', 'broken pipe', 'no route to host',
    'remote process exited', 'communicator was aborted', 'caused pair closure',
)  # fmt: skip


@contextmanager
def distributed_run(cfg: Config, script: str = 'train') -> Iterator[None]:
    """Prepare a config for its launcher, and close the processes' group at the end.

    With an accelerator mmengine does all of it. Without one, its start-up would set a CUDA device and its wrapper
    would pass device numbers: here the group is started with gloo before the runner is built, and the wrapper is
    :class:`~..distributed.wrappers.HostDistributedDataParallel`, which also does what ``sync_bn`` asks for. A
    collective that waits longer than ``env_cfg.dist_cfg.timeout`` seconds fails.

    Args:
        cfg: Config with ``launcher``; on a CPU ``model_wrapper_cfg`` is filled in, and ``sync_bn`` moves there.
        script: What is run, ``train`` or ``test``, for the message that says how to start it.

    Raises:
        ValueError: If the launcher's variables are missing, the launcher cannot run on a CPU, or processes would share
            a card.
        ConnectionError: If another process of the run can no longer be reached.
    """
    launcher = cfg.get('launcher', 'none')
    if launcher == 'none':
        yield
        return
    _check_environment(launcher, script)
    if launcher == 'slurm':
        _adopt_slurm()
    if launcher in ('pytorch', 'slurm'):
        choose_card(cfg, launcher)
    if get_device() == 'cpu':
        if not dist.is_initialized():
            dist.init_process_group('gloo', timeout=_timeout(cfg))
        _wrap_without_devices(cfg)
    try:
        with _lost_contact_explained(cfg):
            yield
    except Exception as error:
        # torchrun then shows the message of the rank that failed first, below the noise of all others.
        get_error_handler().record_exception(error)
        raise
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def check_same_start(cfg: Config) -> None:
    """Check that all processes start from the same checkpoint.

    Raises:
        ValueError: If one found another checkpoint than another, as happens when each host has a work dir of its own.
    """
    starts = all_gather_object((cfg.get('load_from'), bool(cfg.get('resume'))))
    for rank, (path, resume) in enumerate(starts):
        if (path, resume) != starts[0]:
            raise ValueError(
                f'rank 0 {_start(*starts[0])}, but rank {rank} {_start(path, resume)}: the work dir {cfg.work_dir} '
                'must be one folder on a disk that all hosts share'
            )


def _start(path: str | None, resume: bool) -> str:
    return f'{"resumes" if resume else "starts"} from {path}' if path else 'starts from the beginning'


def _check_environment(launcher: str, script: str) -> None:
    needed = {'pytorch': _TORCHRUN, 'slurm': _SLURM}.get(launcher, ())
    missing = [name for name in needed if name not in os.environ]
    if missing:
        raise ValueError(f'--launcher {launcher} needs the variables {missing}: start with {_STARTS[script, launcher]}')
    if launcher == 'mpi' and get_device() == 'cpu':
        raise ValueError("--launcher mpi needs GPUs; on a CPU use torchrun with '--launcher pytorch'")


def _adopt_slurm() -> None:
    """Set torchrun's variables from Slurm's; the port follows from the job's number, so that jobs do not meet."""
    if 'MASTER_ADDR' not in os.environ:
        command = ['scontrol', 'show', 'hostnames', os.environ['SLURM_NODELIST']]
        try:
            hosts = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        except (OSError, subprocess.CalledProcessError) as error:
            raise ValueError(f'cannot find the first host ({error}); set MASTER_ADDR to it') from error
        os.environ['MASTER_ADDR'] = hosts[0]
    os.environ.setdefault('MASTER_PORT', str(20000 + int(os.environ.get('SLURM_JOB_ID', 0)) % 20000))
    os.environ['RANK'] = os.environ['SLURM_PROCID']
    os.environ['LOCAL_RANK'] = os.environ['SLURM_LOCALID']
    os.environ['WORLD_SIZE'] = os.environ['SLURM_NTASKS']


def _timeout(cfg: Config) -> timedelta | None:
    seconds = cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout')
    return None if seconds is None else timedelta(seconds=seconds)


@contextmanager
def _lost_contact_explained(cfg: Config) -> Iterator[None]:
    """Turn the network errors of torch into one message that says how to go on."""
    try:
        yield
    except RuntimeError as error:
        text = str(error)
        # Before torch 2.4 NCCL's own errors are the base of all.
        of_network = isinstance(error, getattr(dist, 'DistError', dist.DistBackendError))
        of_network = of_network or 'gloo/transport' in text or 'pair closure' in text
        if not of_network or not any(sign in text.lower() for sign in _LOST):
            raise
        try:
            checkpoint = latest_checkpoint(cfg.work_dir)
        except DamagedCheckpointError:
            checkpoint = None
        # Without the place in gloo's source that stands in front.
        reason = re.sub(r'^\[[^\]]*\] *', '', text.splitlines()[0])
        message = (
            f'rank {get_rank()} lost contact with the other processes of the run ({reason}). A host or '
            'its network is gone, or another rank stopped first and its output says why. '
            + (f'{checkpoint} is whole' if checkpoint else 'There is no whole checkpoint yet')
            + '; start all hosts again with --resume auto'
        )
        print_log(message, 'current', logging.ERROR)
        raise ConnectionError(message) from error


def _wrap_without_devices(cfg: Config) -> None:
    wrapper = dict(cfg.get('model_wrapper_cfg') or {})
    wrapper.setdefault('broadcast_buffers', False)
    wrapper.setdefault('find_unused_parameters', cfg.get('find_unused_parameters', False))
    own = HostDistributedDataParallel.__name__
    if wrapper.get('type', 'MMDistributedDataParallel') in ('MMDistributedDataParallel', own):
        # mmengine would convert to torch's synchronised batch norm, which has kernels for GPUs only.
        wrapper.update(type=own, sync_bn=cfg.get('sync_bn') is not None)
        cfg.sync_bn = None
    else:
        wrapper['device_ids'] = None
    cfg.model_wrapper_cfg = wrapper
