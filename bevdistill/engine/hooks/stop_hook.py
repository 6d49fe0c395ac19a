"""Save a checkpoint and end when the run is asked to stop."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from mmdet3d.registry import HOOKS
from mmengine.dist import barrier, get_comm_device, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch.distributed.fsdp import FullyShardedDataParallel

from ...checkpoints.safe_hook import SafeCheckpointHook
from ..stopping import RunStopped, StopRequest, current_request
from .repeatable_run_hook import DONE_OF_EPOCH


@HOOKS.register_module()
class StopHook(Hook):
    """Save and end after an iteration when this process, or another of the run, got SIGTERM, SIGINT or SIGUSR1.

    One process stops at the end of the iteration that it is in, or at once while it waits for data. Several processes
    stop after the same iteration: each tells the others at the end of every iteration, by a sum that is read one
    iteration later, when it has long arrived; nobody waits for it. In validation one process stops after the batch;
    several save and go on to the first iteration after it.

    With accumulated gradients the run goes on to the next step, so that the resumed one is the same bit for bit.
    """

    # After the checkpoint hook and all that changes the state.
    priority = 'LOWEST'

    def __init__(self) -> None:
        self._request = StopRequest()
        self._finished = 0
        self._agreed = False
        self._sum: tuple[torch.Tensor, Any] | None = None

    def before_train(self, runner: Runner) -> None:
        """Stop at the end of an iteration from now on."""
        self._request = current_request()
        self._finished, self._agreed, self._sum = runner.iter, False, None
        self._request.training = True

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """An iteration that has begun is finished."""
        self._request.waiting = False

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Stop if asked.

        Raises:
            RunStopped: After the checkpoint is on disk.
        """
        self._finished = runner.iter + 1
        self._agreed = self._agreed or self._asked()
        whole_step = _whole_step(runner)
        if self._agreed and whole_step:
            self.stop(runner)
        # At the end of an epoch other hooks follow, and what they do is not to be done twice.
        ends = False
        if isinstance(runner.train_loop, EpochBasedTrainLoop):
            length = len(runner.train_dataloader)
            ends = batch_idx + 1 == length or self._finished % length == 0
        self._request.waiting = get_world_size() == 1 and whole_step and not ends

    def before_val(self, runner: Runner) -> None:
        """A validation batch that has begun is finished."""
        self._request.waiting = False

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Save if asked; one process stops here, several after the next iteration."""
        if not (self._request.training and self._request.name and _whole_step(runner)):
            return
        if get_world_size() == 1:
            self.stop(runner)
        elif not isinstance(runner.model, FullyShardedDataParallel):  # Its state is collected from all processes.
            self._save(runner)

    def after_train(self, runner: Runner) -> None:
        """The run has ended by itself."""
        self._request.training = self._request.waiting = False
        if self._sum is not None:
            self._sum[1].wait()
            self._sum = None

    def stop(self, runner: Runner) -> None:
        """Save what is not saved, and end together with the other processes.

        Raises:
            RunStopped: Always.
        """
        self._request.waiting = False
        file = self._save(runner)
        barrier()
        raise RunStopped(
            f'stopped by {self._request.name or "a signal to another process"} after iteration {self._finished}; '
            f'{file} is whole, and the same command with --resume goes on there'
        )

    def _asked(self) -> bool:
        """Tell whether to stop; with several processes, whether any was asked before the end of the last iteration."""
        own = bool(self._request.name)
        if get_world_size() == 1:
            return own
        asked = False
        if self._sum is not None:
            tensor, work = self._sum
            work.wait()
            asked = bool(tensor.item())
        if not asked and not self._agreed:
            tensor = torch.tensor([own], dtype=torch.int32).to(get_comm_device())
            self._sum = tensor, dist.all_reduce(tensor, async_op=True)
        else:
            self._sum = None
        return asked

    def _save(self, runner: Runner) -> str:
        hook = next((one for one in runner.hooks if isinstance(one, SafeCheckpointHook)), None)
        if hook is None:
            return 'no checkpoint (there is no CheckpointHook); the last one'
        if isinstance(runner.train_loop, EpochBasedTrainLoop):
            done = self._finished - runner.epoch * len(runner.train_dataloader)
            runner.message_hub.update_info(DONE_OF_EPOCH, max(done, 0))
        return hook.save_stopped(runner, self._finished)


def _whole_step(runner: Runner) -> bool:
    """Tell whether no gradients wait for a later step."""
    return bool(getattr(runner.optim_wrapper, 'should_update', lambda: True)())
