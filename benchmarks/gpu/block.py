"""Run one block of the GPU check: ``python -m benchmarks.gpu.block NAME OUT DEVICE``."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

HOMES = dict(
    versions='numbers', operators='numbers', steps='steps', waits='steps', compile='steps', train='runs',
    processes='runs', cache='runs', full_size='speed', sampling='speed', voxels='speed',
)  # fmt: skip


@dataclass
class Check:
    """What a block works with, and what it has found so far.

    Args:
        name: Of the block.
        out: Folder of all results.
        device: ``'cuda'`` or ``'cpu'``; on a CPU sizes are small.
    """

    name: str
    out: Path
    device: str
    found: dict[str, Any] = field(default_factory=dict)

    def tell(self, summary: str, **found: Any) -> None:
        """Keep results and a line about them on disk, so that a time-out loses nothing."""
        self.found.update(found, summary=summary)
        (self.out / f'{self.name}.json').write_text(json.dumps(self.found, indent=1, default=str))

    def skip(self, reason: str) -> None:
        """Say why nothing was done."""
        self.tell(reason, skipped=True)

    @property
    def data(self) -> Path:
        """The small synthetic nuScenes, made by the first block that asks."""
        root = self.out / 'data'
        if not (root / 'nuscenes_infos_val.msgpack.gz').is_file():
            from ..models import make_data

            make_data(root, quick=True)
        return root


def main() -> int:
    """Run; returns 1 if the block found a fault."""
    name, out, device = sys.argv[1:]
    check = Check(name, Path(out), device)
    block = getattr(import_module(f'.{HOMES[name]}', __package__), name)
    if device == 'cuda':
        import torch

        if not torch.cuda.is_available():
            print('torch sees no GPU; --device cpu rehearses without one')
            return 1
    return 0 if block(check) else 1


if __name__ == '__main__':
    sys.exit(main())
