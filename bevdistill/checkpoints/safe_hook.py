"""Keep a superseded checkpoint until the new one is whole and on disk; save when a run is asked to stop."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmdet3d.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from .whole_file import sweep_parts

_SUPERSEDED = 'superseded_ckpts'
_STOPPED = 'iter_{}.pth'


@HOOKS.register_module(name='CheckpointHook')
class SafeCheckpointHook(CheckpointHook):
    """mmengine's ``CheckpointHook``, which loses nothing when the run dies in it.

    mmengine removes what ``max_keep_ckpts`` and ``save_best`` leave no place for, then writes the new file. Here the
    old file goes after the new one is whole and on disk. What a run that dies in between leaves over is written in its
    checkpoint, and the resumed run removes it, together with parts of files.

    Registered in mmdet3d's scope under the name of mmengine's hook, so that configs which name that one get this one.

    Args:
        **options: Of ``CheckpointHook``. Files on a local disk are written by the backend ``atomic`` unless
            ``backend_args`` or ``file_client_args`` name another.
    """

    # What mmengine's hook sets, where mypy cannot tell the types.
    backend_args: dict[str, Any] | None
    file_backend: Any
    by_epoch: bool
    filename_tmpl: str
    max_keep_ckpts: int

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._superseded: list[str] = []
        self._saved_at = -1

    def before_train(self, runner: Runner) -> None:
        """Prepare the folder; remove what a killed run has left in it."""
        if self.backend_args is None and self.file_client_args is None and '://' not in str(self.out_dir):
            self.backend_args = dict(backend='atomic')
        super().before_train(runner)
        # The checkpoint that was resumed may be among them, so they go once another one is whole.
        left = runner.message_hub.runtime_info.get(_SUPERSEDED, [])
        self._superseded = [str(Path(self.out_dir, name)) for name in left]
        if isinstance(self.file_backend, LocalBackend):
            self.file_backend = _Postponing(lambda path: self._supersede(runner, path))
            if is_main_process():
                for part in sweep_parts(self.out_dir):
                    runner.logger.info(f'removed {part}, which a killed run has left')

    def save_stopped(self, runner: Runner, iterations: int) -> str:
        """Save the state between two iterations, for a run that is asked to stop; do nothing if that was just saved.

        Within an epoch, the file is one that the first regular checkpoint of the resumed run replaces.

        Args:
            runner: The runner.
            iterations: Iterations that are finished.

        Returns:
            The file.
        """
        if self._saved_at == iterations:
            return str(self.last_ckpt)
        meta = dict(epoch=runner.epoch, iter=iterations)
        if not self.by_epoch:
            self._save_checkpoint_with_step(runner, iterations, meta)
            return str(self.last_ckpt)
        kept = self.by_epoch, self.filename_tmpl, self.max_keep_ckpts
        self.by_epoch, self.filename_tmpl, self.max_keep_ckpts = False, _STOPPED, -1
        self._supersede(runner, str(Path(self.out_dir, _STOPPED.format(iterations))))
        try:
            super()._save_checkpoint_with_step(runner, iterations, meta)
        finally:
            self.by_epoch, self.filename_tmpl, self.max_keep_ckpts = kept
        self._saved_at = iterations
        return str(self.last_ckpt)

    def _supersede(self, runner: Runner, path: str) -> None:
        self._superseded.append(path)
        runner.message_hub.update_info(_SUPERSEDED, [Path(file).name for file in self._superseded])

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        super()._save_checkpoint_with_step(runner, step, meta)
        self._saved_at = int(meta['iter'])
        best = getattr(self, 'best_ckpt_path_dict', {0: getattr(self, 'best_ckpt_path', None)}).values()
        if is_main_process():
            for old in {*self._superseded} - {self.last_ckpt, *best}:
                _remove(old)
        self._superseded.clear()
        runner.message_hub.update_info(_SUPERSEDED, [])


class _Postponing(LocalBackend):
    """Local disk that notes what is to be removed."""

    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__()
        self._note = note

    def remove(self, filepath: str | Path) -> None:
        """Note a file."""
        self._note(str(filepath))

    def rmtree(self, dir_path: str | Path) -> None:
        """Note a folder, which is what some strategies save."""
        self._note(str(dir_path))


def _remove(path: str) -> None:
    if Path(path).is_dir():
        shutil.rmtree(path)
    else:
        Path(path).unlink(missing_ok=True)
