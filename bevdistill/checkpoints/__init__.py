"""Read, write, compare, convert and identify weights."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .atomic_backend import AtomicBackend
    from .find import existing_checkpoint, latest_checkpoint, save_checkpoint, unreadable_checkpoints_explained
    from .foreign_file import ForeignCheckpoint, read_foreign_checkpoint, weights_below
    from .identity import check_identity, identity_of
    from .identity_hook import CheckpointIdentityHook, check_weights
    from .meta import BOX_CONVENTION, META_KEY
    from .plain_hook import PlainCheckpointHook
    from .pretrained import Pretrained, build_part, take_pretrained
    from .public_kinds import (
        CONVERTER,
        KINDS,
        convention_unknown,
        conversion_advice,
        likely_kind,
        unreadable_advice,
        without_wrapper,
    )

__all__ = [
    'BOX_CONVENTION',
    'CONVERTER',
    'KINDS',
    'META_KEY',
    'AtomicBackend',
    'CheckpointIdentityHook',
    'ForeignCheckpoint',
    'PlainCheckpointHook',
    'Pretrained',
    'build_part',
    'check_identity',
    'check_weights',
    'convention_unknown',
    'conversion_advice',
    'existing_checkpoint',
    'identity_of',
    'latest_checkpoint',
    'likely_kind',
    'read_foreign_checkpoint',
    'save_checkpoint',
    'take_pretrained',
    'unreadable_advice',
    'unreadable_checkpoints_explained',
    'weights_below',
    'without_wrapper',
]

__getattr__ = lazy_names(__name__)
