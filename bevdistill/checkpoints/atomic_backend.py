"""Give mmengine's writers files that are whole or absent."""

from __future__ import annotations

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from .whole_file import write_whole


class AtomicBackend(LocalBackend):
    """Local disk with atomic writes, see :func:`~.whole_file.write_whole`.

    Used by ``CheckpointHook`` through ``backend_args=dict(backend='atomic')``.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes to a file; on any failure the earlier file stays as it was."""
        write_whole(obj, filepath)


register_backend('atomic', AtomicBackend, force=True)
