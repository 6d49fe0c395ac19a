"""Write a teacher cache."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from mmdet3d.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from torch.utils.data import ConcatDataset, DataLoader, Subset
from tqdm import tqdm

from ..checkpoints.whole_file import write_whole
from ..datasets.workers import WAIT_SECONDS, lost_worker_explained
from ..distillers import BEVDistiller, query_gaps
from ..for_people import config_explained, counted
from ..structures import BEVOutputs
from .frozen_points import frozen_points, leaf_datasets
from .key import CacheKey, digest_of
from .manifest import CacheManifest
from .record_layout import OPTIONAL_TAPS, RecordLayout, best_queries, on_cpu
from .samples import Samples
from .storage import TeacherCache


class CacheWriter:
    """Run the teacher of a distillation config over a split and write its outputs, each sample once.

    A second run resumes where the first one stopped; several processes (torchrun) share the samples. Frames need no
    labels.

    Args:
        cfg: Config of a distiller, of which teacher, preprocessor, losses and data are used.
        checkpoint: The teacher's weights.
        split: ``'train'`` or ``'val'``.
        taps: Which of ``bev, states, heatmap, heatmap_features`` are kept; None for what the config's losses want.
        top_k: Keep this many of the best queries; None for all.
        dtype: ``'float16'`` or ``'float32'``, of maps and states.

    Raises:
        ValueError: If the config is not that of a distiller, its pipeline cannot be cached, or taps or queries are not
            those that the losses want.
    """

    def __init__(
        self,
        cfg: Config,
        checkpoint: str,
        split: str = 'train',
        taps: Sequence[str] | None = None,
        top_k: int | None = None,
        dtype: str = 'float16',
    ) -> None:
        init_default_scope(cfg.get('default_scope', 'mmdet3d'))
        if cfg.model.get('teacher') is None:
            raise ValueError(
                f'this is the config of a {cfg.model.type} alone. Name the config of the distillation that will read '
                'the cache: its teacher, its points and its losses decide what is written'
            )
        self.leaves = list(leaf_datasets(cfg[f'{split}_dataloader'].dataset))
        self.points = [frozen_points(leaf.pipeline) for leaf in self.leaves]
        if any(points != self.points[0] for points in self.points):
            raise ValueError('the data sets of a split must load points in one way, these differ')
        self.top_k, self.dtype = top_k, dtype
        model = deepcopy(cfg.model)
        model.update(teacher_checkpoint=str(checkpoint), teacher_cache=None, teacher_precision='float32')
        with config_explained('model'):
            self.model: BEVDistiller = MODELS.build(model)
        self.taps = self._wanted_taps() if taps is None else list(taps)
        self._check_taps()
        self.model.to(get_device())
        self.model.teacher.ensure_loaded()
        # Voxels are made with the limits of training, which the live teacher of a distiller is fed with.
        self.model.train()
        sha256 = self.model.teacher.identity['sha256']
        self.key = CacheKey.of(sha256, cfg.model.teacher, cfg.model.data_preprocessor, self.points[0])
        self.samples = Samples.merged([Samples.of(leaf) for leaf in self.leaves])
        self.rank = int(os.environ.get('RANK', 0))
        self.world = int(os.environ.get('WORLD_SIZE', 1))

    def _wanted_taps(self) -> list[str]:
        losses: list[Any] = list(self.model.losses.values())
        wants = {want for loss in losses for want in loss.wants}
        if not any(want.startswith('teacher.') for want in wants):
            raise ValueError('no loss of this config wants anything of the teacher, so there is nothing to cache')
        return [tap for tap in OPTIONAL_TAPS if f'teacher.{tap}' in wants]

    def _check_taps(self) -> None:
        offered = [tap for tap in self.model.teacher.taps if tap in OPTIONAL_TAPS]
        unknown = [tap for tap in self.taps if tap not in offered]
        if unknown:
            raise ValueError(f'the teacher does not offer {unknown}; --taps can name {offered}')
        gaps = query_gaps(dict(self.model.losses.items()), self.top_k)
        if gaps:
            raise ValueError(f'--top-k {self.top_k} is too small for this config:\n  ' + '\n  '.join(gaps))

    def dataset(self) -> ConcatDataset[Any]:
        """Build the split with points alone, in file order and without labels."""
        built = []
        for leaf, points in zip(self.leaves, self.points, strict=True):
            changed = deepcopy(leaf)
            changed.pipeline = points | dict(pack=dict(type='PackBEVInputs', keys=('points',)))
            changed.modality = dict(use_camera=False, use_lidar=True)
            changed.test_mode, changed.load_eval_anns = True, False
            built.append(DATASETS.build(changed))
        return ConcatDataset(built)

    def default_folder(self, parent: Path, name: str) -> Path:
        """Name a folder by teacher, config, data and what is kept."""
        kept = [self.key.to_plain(), self.samples.digest(), sorted(self.taps), self.top_k, self.dtype]
        return parent / f'{name}_{digest_of(kept)[:8]}'

    def write(
        self,
        folder: str | Path,
        command: str,
        batch_size: int = 4,
        workers: int = 2,
        report: Callable[[str], None] = print,
    ) -> TeacherCache:
        """Write the records that are missing.

        Args:
            folder: Folder of the cache.
            command: The command that resumes writing, for messages about an incomplete cache.
            batch_size: Samples per forward pass of the teacher.
            workers: Processes that load points.
            report: Called once with the size of the cache, before records are written.

        Returns:
            The cache, complete unless other processes are still at work.

        Raises:
            ValueError: If the folder holds a cache of something else, or the teacher gives a value that cannot be kept.
            OSError: If the disk is full, now or in the end.
        """
        dataset = self.dataset()
        cache = TeacherCache(folder)
        whole = self._outputs(pseudo_collate([dataset[0]]))
        kept = self._kept(whole)
        layout = RecordLayout.plan(kept, self.taps, self.dtype)
        checkpoint = self.model.teacher.checkpoint
        manifest = CacheManifest(
            key=self.key,
            layout=layout,
            teacher=dict(path=str(checkpoint.path), classes=checkpoint.saved_class_names or checkpoint.class_names),
            queries=kept.logits.shape[2],
            all_queries=whole.logits.shape[2],
            probes=self.samples.probes,
            infos=self.samples.infos,
            num_samples=len(self.samples.digests),
            command=command,
        )
        cache.begin(manifest, self.samples, write_whole)
        todo = [index for index, token in _own_share(dataset, self.rank, self.world) if not cache.has(token)]
        if self.rank == 0:
            report(_size_of(cache, len(todo)))
        _check_space(cache, len(todo))
        loader = DataLoader(
            Subset(dataset, todo), batch_size, num_workers=workers, collate_fn=pseudo_collate,
            timeout=WAIT_SECONDS if workers else 0,
        )  # fmt: skip
        # A line every ten seconds where the progress bar goes to a file.
        pace = 0.1 if sys.stderr.isatty() else 10.0
        progress = tqdm(total=len(todo), unit='sample', disable=self.rank > 0, desc='teacher', mininterval=pace)
        with lost_worker_explained(), progress as bar:
            for batch in loader:
                outputs = on_cpu(self._kept(self._outputs(batch)))
                for index, sample in enumerate(batch['data_samples']):
                    self._put_record(cache, sample.token, layout, outputs, index)
                    bar.update()
        cache.finish(write_whole)
        return cache

    @torch.no_grad()
    def _outputs(self, batch: dict[str, Any]) -> BEVOutputs:
        data = self.model.data_preprocessor(batch, training=False)
        return self.model.teacher(data['inputs'], data['data_samples'])

    def _kept(self, outputs: BEVOutputs) -> BEVOutputs:
        return outputs if self.top_k is None else best_queries(outputs, self.top_k)

    def _put_record(
        self, cache: TeacherCache, token: str, layout: RecordLayout, outputs: BEVOutputs, index: int
    ) -> None:
        try:
            cache.put_record(token, layout.pack(outputs, index))
        except ValueError as error:
            raise ValueError(f'sample {token}: {error}') from error
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise OSError(
                error.errno,
                f'the disk of {cache.folder} is full at sample {token}; what is written stays. Make room, go on with\n'
                f'  {cache.manifest.command}',
            ) from error


def _size_of(cache: TeacherCache, missing: int) -> str:
    """Describe the size of a cache."""
    manifest = cache.manifest
    nbytes, count = manifest.record_bytes, manifest.num_samples
    taps = ', '.join(f'{entry.tap} {(entry.stop - entry.start) / 1e6:.3g} MB' for entry in manifest.layout.entries)
    return (
        f'teacher cache {cache.folder}: {counted(count, "sample")} x {nbytes / 1e6:.3g} MB ({taps}) = '
        f'{count * nbytes / 1e9:.3g} GB, {counted(missing, "sample")} to go, '
        f'{shutil.disk_usage(cache.folder).free / 1e9:.3g} GB free'
    )


def _check_space(cache: TeacherCache, missing: int) -> None:
    """Refuse to begin where the missing records do not fit on the disk."""
    needed, free = missing * cache.manifest.record_bytes, shutil.disk_usage(cache.folder).free
    if needed > free:
        raise OSError(
            errno.ENOSPC,
            f'expected {needed / 1e9:.3g} GB for {counted(missing, "sample")}, {cache.folder} has {free / 1e9:.3g} GB '
            'free. '
            'Name another disk with --out, keep less (--taps, --top-k, --dtype float16), or make room',
        )


def _own_share(dataset: ConcatDataset[Any], rank: int, world: int) -> Iterator[tuple[int, str]]:
    """Yield index and token of the samples of one process; a repeated token is taken once."""
    seen: dict[str, int] = {}
    place = 0
    for part in dataset.datasets:
        for index in range(len(part)):  # type: ignore[arg-type]
            info: Mapping[str, Any] = part.get_data_info(index)  # type: ignore[attr-defined]
            seen.setdefault(info['token'], place)
            place += 1
    for count, (token, index) in enumerate(seen.items()):
        if count % world == rank:
            yield index, token
