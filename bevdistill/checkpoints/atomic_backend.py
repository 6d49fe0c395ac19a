"""Write files atomically: a crash leaves the old file or the new one, never a part."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend


class AtomicBackend(LocalBackend):
    """Local disk with atomic writes: to a temporary file in the same folder, then renamed.

    Used by ``CheckpointHook`` through ``backend_args=dict(backend='atomic')``.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes to a file; on any failure the earlier file stays as it was."""
        target = Path(filepath)
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(prefix=f'.{target.name}.', suffix='.part', dir=target.parent)
        try:
            with os.fdopen(handle, 'wb') as file:
                file.write(obj)
                file.flush()
                os.fsync(file.fileno())
            # mkstemp makes private files; a checkpoint gets the permissions that open() would have given.
            os.chmod(aside, 0o666 & ~_umask())
            os.replace(aside, target)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


register_backend('atomic', AtomicBackend, force=True)
