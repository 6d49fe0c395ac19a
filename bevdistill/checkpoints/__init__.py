"""Read, write, compare, convert and identify weights."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .atomic_backend import AtomicBackend
    from .damage import DamagedCheckpointError, check_finite_weights, not_finite_names, read_whole
    from .existing import existing_checkpoint
    from .find import (
        latest_checkpoint,
        save_checkpoint,
        sha256_of,
        unreadable_checkpoints_explained,
    )
    from .fit import WeightFit, check_weights, load_weights, without_wrapper_prefix
    from .foreign_file import ForeignCheckpoint, read_foreign_checkpoint, weights_below
    from .identity import BOX_CONVENTION, META_KEY, check_identity, identity_gaps, identity_of
    from .identity_hook import CheckpointIdentityHook
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
    from .safe_hook import SafeCheckpointHook
    from .whole_file import sweep_parts, write_whole

__all__ = [
    'BOX_CONVENTION',
    'CONVERTER',
    'KINDS',
    'META_KEY',
    'AtomicBackend',
    'CheckpointIdentityHook',
    'DamagedCheckpointError',
    'ForeignCheckpoint',
    'PlainCheckpointHook',
    'Pretrained',
    'SafeCheckpointHook',
    'WeightFit',
    'build_part',
    'check_finite_weights',
    'check_identity',
    'check_weights',
    'convention_unknown',
    'conversion_advice',
    'existing_checkpoint',
    'identity_gaps',
    'identity_of',
    'latest_checkpoint',
    'likely_kind',
    'load_weights',
    'not_finite_names',
    'read_foreign_checkpoint',
    'read_whole',
    'save_checkpoint',
    'sha256_of',
    'sweep_parts',
    'take_pretrained',
    'unreadable_advice',
    'unreadable_checkpoints_explained',
    'weights_below',
    'without_wrapper',
    'without_wrapper_prefix',
    'write_whole',
]

__getattr__ = lazy_names(__name__)
