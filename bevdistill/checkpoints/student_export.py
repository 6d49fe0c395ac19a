"""Take the student out of a distiller's checkpoint."""

from __future__ import annotations

import reprlib
from pathlib import Path
from typing import Any

import torch

from .damage import DamagedCheckpointError, check_content, check_finite_weights, read_whole
from .foreign_file import weights_below
from .refusal import reason_of

STUDENT = 'student.'
HEADS = 'losses.'


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint as plain data.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read as plain data, or holds no weights by name.
    """
    if not path.is_file():
        raise FileNotFoundError(f'there is no checkpoint {path}')
    try:
        checkpoint = read_whole(path)
    except (DamagedCheckpointError, OSError):
        raise
    except Exception as error:  # The reader of a file that is no checkpoint can fail in any way.
        why = reason_of(error)
        raise ValueError(f'{path} is not a checkpoint of plain data, as this package writes them ({why})') from None
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get('state_dict'), dict):
        raise ValueError(f"{path} has no 'state_dict': it is not a checkpoint of a training run")
    check_content(checkpoint, str(path))
    odd = next((name for name, value in checkpoint['state_dict'].items() if not isinstance(value, torch.Tensor)), None)
    if odd is not None:
        found = reprlib.repr(checkpoint['state_dict'][odd])
        raise ValueError(f'checkpoint {path}: {odd}: expected a tensor, found {found}')
    check_finite_weights(checkpoint['state_dict'], (), f'checkpoint {path}')
    return checkpoint


def export_student(checkpoint: dict[str, Any], source: str) -> dict[str, Any]:
    """Take the weights of the student under their plain names, with the checkpoint's meta data.

    Of a run with mmengine's ``EMAHook`` these are the averaged ones, which it keeps there and scores.

    Args:
        checkpoint: A distiller's checkpoint: weights named ``student.*`` and, for its heads, ``losses.*``.
        source: Name of the checkpoint, for errors.

    Returns:
        ``meta`` and ``state_dict``. ``meta['bevdistill']`` keeps the teacher's identity.

    Raises:
        ValueError: If it is not a checkpoint of a distiller.
    """
    weights = checkpoint['state_dict']
    foreign = [name for name in weights if not name.startswith((STUDENT, HEADS))]
    student = weights_below(weights, STUDENT)
    if foreign or not student:
        found = sorted({name.split('.')[0] for name in weights})
        raise ValueError(
            f"{source} is not a checkpoint of a distiller: expected weights under 'student.' and 'losses.', found them "
            f'under {found}. A plain detector needs no export'
        )
    return {'meta': checkpoint.get('meta', {}), 'state_dict': student}
