"""Load pretrained parts of a detector, whole or not at all."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlparse

import torch
from mmdet.models.backbones.pvt import PyramidVisionTransformer, pvt_convert
from mmdet.models.backbones.swin import SwinTransformer, swin_converter
from mmdet3d.registry import MODELS
from mmengine.dist import barrier
from mmengine.logging import print_log
from mmengine.model.weight_init import PretrainedInit
from mmengine.runner import CheckpointLoader
from torch import nn

from ..for_people import shortened
from ..structures import strict_from_dict
from .fit import WeightFit, load_weights, require_own, without_wrapper_prefix
from .foreign_file import ForeignCheckpoint, read_foreign_checkpoint, weights_below
from .public_kinds import convention_unknown, conversion_advice, without_wrapper


class Pretrained(NamedTuple):
    """A part of a detector whose weights come from a file: ``init_cfg=dict(type='Pretrained', ...)``.

    mmengine loads such a file with ``strict=False`` and logs what did not match, so that a typing error in the prefix
    or a file of another depth trains from random weights. Here all weights of the part must be in the file and all
    weights of the file that are below `prefix` (without a prefix: those that belong to one of the part's own modules)
    must be in the part. Weights of a classifier or of another part of a detector are left over, and said so.

    Args:
        name: Name of the part in the detector.
        module: The part.
        checkpoint: File, or an address that mmengine knows.
        prefix: What the names in the file start with, such as ``'backbone.'``.
        allow_missing: Patterns (``*`` and ``?``) of weights of the part that the file need not have, or may have in
            another shape.
        allow_unexpected: Patterns of weights of the file that may be left over.

    Note:
        A file without deformable convolutions fits a backbone with them: their offsets start at zero. Counters of
        batch norms (``num_batches_tracked``) may be missing too; nothing reads them.
    """

    name: str
    module: nn.Module
    checkpoint: str
    prefix: str = ''
    allow_missing: tuple[str, ...] = ()
    allow_unexpected: tuple[str, ...] = ()

    @classmethod
    def from_config(cls, name: str, module: nn.Module, config: Mapping[str, Any]) -> Pretrained:
        """Check an ``init_cfg`` of type ``Pretrained``.

        Raises:
            ValueError: If an entry is unknown or the checkpoint is not named.
        """
        where = f'{name}.init_cfg of type Pretrained'
        if not config.get('checkpoint'):
            raise ValueError(f'{where} must name a checkpoint, got {dict(config)}')
        entries = {key: value for key, value in config.items() if key not in ('type', 'map_location')}
        made = strict_from_dict(partial(cls, name, module), entries, where)
        prefix = made.prefix or ''
        return made._replace(
            checkpoint=str(made.checkpoint),
            prefix=prefix if not prefix or prefix.endswith('.') else f'{prefix}.',
            allow_missing=tuple(made.allow_missing),
            allow_unexpected=tuple(made.allow_unexpected),
        )

    def load(self) -> None:
        """Read the file and load the part.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it cannot be read, a weight is missing, left over or of another shape, or it brings a box
                head in an unknown convention.
        """
        read = self._read()
        everything = without_wrapper_prefix(read.weights)
        weights = weights_below(everything, self.prefix) if self.prefix else everything
        weights = in_layout_of(self.module, weights)
        own = self.module.state_dict()
        require_own(self.allow_missing, own, f'{self.name}.init_cfg.allow_missing', self.name)
        found = [name for name in own if name in weights]
        if not found:
            raise ValueError(f'{self._what()} has no weight of it. {self._hint(everything, next(iter(own)))}')
        head = [f'{self.name}.{name}' for name in found]
        if convention_unknown(head, read.meta):
            raise ValueError(f'{self._what()}: {conversion_advice(self.checkpoint, everything)}')
        fit = load_weights(self.module, weights, self.checkpoint)
        self._check(fit, weights)
        self._report(fit.without(), len(found), read.left_out)

    def _read(self) -> ForeignCheckpoint:
        if self.checkpoint.startswith(('http://', 'https://')):
            return read_foreign_checkpoint(_downloaded(self.checkpoint))
        if '://' in self.checkpoint:
            return ForeignCheckpoint(CheckpointLoader.load_checkpoint(self.checkpoint, map_location='cpu'), [])
        try:
            return read_foreign_checkpoint(self.checkpoint)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f'{self.name} starts from {self.checkpoint}, and there is no such file. docs/weights.md says where '
                f'public files are. Name another with {self.name}.init_cfg.checkpoint, or start from random weights '
                f'with {self.name}.init_cfg=None'
            ) from error

    def _check(self, fit: WeightFit, weights: Iterable[str]) -> None:
        """Refuse what is missing, of another shape, or left over although it belongs to the part."""
        offsets = () if any('_offset.' in name for name in weights) else ('*.conv_offset.*',)
        fit = fit.without((*self.allow_missing, *offsets), self.allow_unexpected)
        if not self.prefix:
            children = {name for name, _ in self.module.named_children()}
            fit = replace(fit, unexpected=tuple(name for name in fit.unexpected if name.split('.')[0] in children))
        if not fit:
            raise ValueError(
                '\n  '.join([f'{self._what()} does not fit:', *fit.lines(self.name)])
                + '\nDepth and kind of the part must be those of the file. If the gap is meant, name the weights in '
                "init_cfg, such as allow_missing=['norm1.*'] or allow_unexpected=['fpn_convs.4.*']"
            )

    def _report(self, fit: WeightFit, found: int, left_out: Sequence[str]) -> None:
        lines = [f'{self.name}: {found} weights from {self.checkpoint}' + (f' below {self.prefix}' * bool(self.prefix))]
        kinds = (
            (fit.missing, 'not in the file, as at the start'),
            (tuple(fit.shapes), 'of another shape in the file, as at the start'),
            (fit.unexpected, 'left over in the file'),
        )
        for names, kind in kinds:
            lines += [f'{kind}: {len(names)}: {shortened(names, 4)}'] if names else []
        lines += [f'not read, and not needed: {", ".join(left_out)}'] if left_out else []
        print_log('\n  '.join(lines), logger='current', level=logging.INFO)

    def _what(self) -> str:
        below = f' below {self.prefix!r}' if self.prefix else ''
        return f'the pretrained checkpoint {self.checkpoint} of {self.name}{below}'

    def _hint(self, names: Iterable[str], first: str) -> str:
        """Where in the file the part seems to be."""
        names = [without_wrapper(name) for name in names]
        if first in names:
            return f'Leave prefix out of {self.name}.init_cfg: the names in the file have none'
        prefixes = [name.removesuffix(first) for name in names if name.endswith(f'.{first}')]
        if prefixes:
            return f"Set prefix='{prefixes[0]}' in {self.name}.init_cfg"
        tops = list(dict.fromkeys(name.split('.')[0] for name in names))
        return f'Names in the file start with {", ".join(tops[:8]) or "nothing: it is empty"}'


def in_layout_of(part: nn.Module, weights: Mapping[str, Any]) -> Mapping[str, Any]:
    """Convert weights of a backbone's authors to mmdet's names where the part says ``convert_weights``: Swin and PVT.

    Files that have mmdet's names already stay as they are.
    """
    if not getattr(part, 'convert_weights', False):
        return weights
    own = part.state_dict().keys()
    for kind, convert in ((SwinTransformer, swin_converter), (PyramidVisionTransformer, pvt_convert)):
        if isinstance(part, kind):
            converted = convert(weights)
            converted = weights_below(converted, 'backbone.') or converted
            # A few names, such as that of the first norm, are the same in both layouts.
            return converted if len(own & converted.keys()) > len(own & weights.keys()) else weights
    return weights


def take_pretrained(model: nn.Module) -> list[Pretrained]:
    """Take entries of type ``Pretrained`` out of the ``init_cfg`` of all parts of a model, before mmengine sees them.

    Args:
        model: The model, built and not initialised.

    Returns:
        One entry per part, to be loaded after the model's ``init_weights``, which would overwrite them.
    """
    taken = []
    for name, module in model.named_modules():
        configs = _entries(getattr(module, 'init_cfg', None))
        mine = [config for config in configs if _is_pretrained(config)]
        if mine:
            label = name or type(model).__name__
            taken += [Pretrained.from_config(label, module, config) for config in mine]
            module.init_cfg = [config for config in configs if config not in mine] or None
    return taken


def build_part(config: dict[str, Any]) -> Any:
    """Build a part of a detector that can start from a file.

    Voxel encoders of mmdet3d take no ``init_cfg``, and its SECOND puts one of its own in the place of what it is given.

    Args:
        config: Config of the part; an ``init_cfg`` of type ``Pretrained`` is kept for :func:`take_pretrained`.
    """
    config = dict(config)
    pretrained = [entry for entry in _entries(config.get('init_cfg')) if _is_pretrained(entry)]
    if not pretrained:
        return MODELS.build(config)
    part = MODELS.build({key: value for key, value in config.items() if key != 'init_cfg'})
    part.init_cfg = pretrained
    return part


def _entries(configs: Any) -> list[dict[str, Any]]:
    return [] if not configs else [configs] if isinstance(configs, dict) else list(configs)


def _is_pretrained(config: dict[str, Any]) -> bool:
    return config.get('type') in ('Pretrained', PretrainedInit)


def _downloaded(address: str) -> Path:
    """A file from the web in torch's cache, fetched by one process of each machine."""
    file = Path(torch.hub.get_dir()) / 'checkpoints' / Path(urlparse(address).path).name
    place = os.environ.get('LOCAL_RANK') or os.environ.get('SLURM_LOCALID') or '0'
    if not file.exists() and int(place) == 0:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(address, str(file), progress=False)
        except OSError as error:
            raise ValueError(
                f'cannot download {address} ({error}). Put the file into {file.parent}, or name another in init_cfg'
            ) from error
    barrier()
    return file
