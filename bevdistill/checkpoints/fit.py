"""Compare weights with a model: missing, unknown and wrongly shaped ones, in one report."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from torch import Tensor, nn

from ..for_people import counted, shortened
from .foreign_file import weights_below

_EXPORT = 'tools/model_converters/export_student.py'
_MISMATCH = re.compile(r'size mismatch for (\S+): .*?torch\.Size\((\[.*?\])\).*?torch\.Size\((\[.*?\])\)')


@dataclass(frozen=True)
class WeightFit:
    """How the weights of a file fit a model.

    Args:
        missing: Weights of the model that the file lacks.
        unexpected: Weights of the file that the model lacks.
        shapes: Weights whose shapes differ, from name to (shape in the file, shape in the model).
    """

    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    shapes: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)

    @classmethod
    def of_states(cls, given: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> WeightFit:
        """Compare two states by name and shape; nothing is loaded.

        Args:
            given: State of the file, or of the model that gives.
            own: State of the model that receives.
        """
        return cls(
            tuple(name for name in own if name not in given),
            tuple(name for name in given if name not in own),
            {
                name: (tuple(given[name].shape), tuple(value.shape))
                for name, value in own.items()
                if name in given and given[name].shape != value.shape
            },
        )

    def __bool__(self) -> bool:
        return not (self.missing or self.unexpected or self.shapes)

    def without(self, allow_missing: Sequence[str] = (), allow_unexpected: Sequence[str] = ()) -> WeightFit:
        """Leave out weights that may be missing, of another shape or left over; patterns with ``*`` and ``?``.

        A weight that may be missing may have another shape too: it stays as at the start in both cases.
        Step counters of batch norms may always be missing: files from before torch 0.4.1 lack them, and nothing here
        reads them.
        """
        missing = _unmatched(self.missing, (*allow_missing, '*num_batches_tracked'))
        shapes = {name: self.shapes[name] for name in _unmatched(self.shapes, allow_missing)}
        return WeightFit(missing, _unmatched(self.unexpected, allow_unexpected), shapes)

    @property
    def kept(self) -> tuple[str, ...]:
        """Return the weights of the model that stay as at the start, step counters of batch norms left out."""
        return _unmatched((*self.missing, *self.shapes), ('*num_batches_tracked',))

    def lines(self, model: str = 'the model', file: str = 'the file', count: int = 6) -> list[str]:
        """Report the differences, a line for each kind.

        Args:
            model: Name of the side that receives.
            file: Name of the side that gives.
            count: How many names a line shows.
        """
        shapes = [f'{name} {theirs} in {file}, {ours} in {model}' for name, (theirs, ours) in self.shapes.items()]
        kinds = (
            (self.missing, f'missing in {file}'),
            (self.unexpected, f'of {file} unknown to {model}'),
            (shapes, 'of other shapes'),
        )
        return [f'{counted(len(names), "weight")} {kind}: {shortened(names, count)}' for names, kind in kinds if names]


def load_weights(model: nn.Module, weights: Mapping[str, Any], source: str) -> WeightFit:
    """Load weights into a model as far as they fit.

    torch decides what fits, not a comparison of names: modules may rename or turn weights of earlier versions while
    they load them.

    Args:
        model: The model.
        weights: From name to tensor.
        source: Name of the checkpoint, for the error.

    Raises:
        ValueError: If torch fails for another reason than shapes.
    """
    try:
        result = model.load_state_dict(weights, strict=False)
        return WeightFit(tuple(result.missing_keys), tuple(result.unexpected_keys))
    except RuntimeError as error:
        shapes = {name: (_numbers(theirs), _numbers(ours)) for name, theirs, ours in _MISMATCH.findall(str(error))}
        if not shapes:
            raise ValueError(f'checkpoint {source} cannot be loaded: {error}') from error
    fitting = weights_below(weights, '')
    for name in shapes:
        fitting.pop(name, None)
    if len(fitting) == len(weights):  # A module has renamed them: under which names they are in the file is unknown.
        return WeightFit(shapes=shapes)
    rest = load_weights(model, fitting, source)
    missing = tuple(name for name in rest.missing if name not in shapes)
    return WeightFit(missing, rest.unexpected, {**shapes, **rest.shapes})


def check_weights(
    model: nn.Module,
    weights: Mapping[str, Any],
    source: str,
    allow_missing: Sequence[str] = (),
    allow_unexpected: Sequence[str] = (),
    owner: str = 'the model',
) -> WeightFit:
    """Load weights into a model and refuse any that is missing, left over or of another shape, unless allowed.

    Args:
        model: The model.
        weights: From name to tensor; a leading ``module.`` is dropped.
        source: Name of the checkpoint, for the error.
        allow_missing: Patterns of names that may be missing or of another shape.
        allow_unexpected: Patterns of names that may be left over.
        owner: Name of the model, for the error.

    Returns:
        All differences, the allowed ones included.

    Raises:
        ValueError: With all kinds of differences, or if a pattern of `allow_missing` is that of no weight of the model.
    """
    weights = without_wrapper_prefix(weights)
    fit = load_weights(model, weights, source)
    own = {*fit.missing, *fit.shapes, *weights} - {*fit.unexpected}
    require_own(allow_missing, own, 'default_hooks.checkpoint_identity.allow_missing', owner)
    refused = fit.without(allow_missing, allow_unexpected)
    if not refused:
        lines = [f'checkpoint {source} does not fit {owner}:', *refused.lines()]
        raise ValueError('\n  '.join(lines) + _advice(refused, source))
    return fit


def require_own(patterns: Sequence[str], names: Iterable[str], option: str, owner: str) -> None:
    """Refuse patterns of no weight: what they are to allow would stay refused, or a misspelt one would pass unseen.

    Args:
        patterns: With ``*`` and ``?``.
        names: Weights of the model.
        option: Where the patterns come from, for the error.
        owner: Name of the model, for the error.

    Raises:
        ValueError: Names the first such pattern and the nearest one that fits.
    """
    names = list(names)
    for pattern in patterns:
        if any(fnmatchcase(name, pattern) for name in names):
            continue
        stem = re.split(r'[*?[]', pattern)[0].rstrip('.')
        parts = list(dict.fromkeys('.'.join(name.split('.')[: stem.count('.') + 1]) for name in names))
        near = difflib.get_close_matches(stem, parts, n=1, cutoff=0.5)
        advice = f"did you mean '{near[0]}{pattern[len(stem) :]}'?" if near else f'they begin with {shortened(parts)}'
        raise ValueError(f"{option}: '{pattern}' is the name of no weight of {owner}; {advice}")


def without_wrapper_prefix(weights: Mapping[str, Any]) -> Mapping[str, Any]:
    """Drop the prefix ``module.`` of a wrapper for distributed training, if all names have it."""
    wrapped = bool(weights) and all(name.startswith('module.') for name in weights)
    return weights_below(weights, 'module.') if wrapped else weights


def _unmatched(names: Iterable[str], patterns: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if not any(fnmatchcase(name, pattern) for pattern in patterns))


def _numbers(shape: str) -> tuple[int, ...]:
    return tuple(int(size) for size in re.findall(r'\d+', shape))


def _wrapper(fit: WeightFit) -> str:
    """Return what stands before the names that are missing, in all names of the file; nothing where it is not one."""
    first = next((name for name in fit.unexpected if fit.missing and name.endswith(f'.{fit.missing[0]}')), '')
    prefix = first.removesuffix(fit.missing[0]) if first else ''
    return prefix if all(name.startswith(prefix) for name in fit.unexpected) else ''


def _advice(fit: WeightFit, source: str) -> str:
    if any(name.startswith('student.') for name in fit.unexpected):
        return f'\nThis is a checkpoint of a distiller. Take the student out of it with {_EXPORT} and load that'
    if any(name.startswith('student.') for name in fit.missing):
        return (
            '\nThis is a checkpoint of a plain detector, but the config describes a distiller. To start its student '
            f'from it, use model.student_checkpoint={source} instead; as its teacher, model.teacher_checkpoint={source}'
        )
    wrapper = _wrapper(fit)
    if wrapper:
        return (
            f"\nIts names begin with '{wrapper}', of a wrapper (torch.compile, Lightning ...). Save it without: "
            f"{{name.removeprefix('{wrapper}'): weight for name, weight in state_dict.items()}}"
        )
    return (
        '\nUse the config that it was trained with. If the gap is meant, name the weights in '
        'default_hooks.checkpoint_identity.allow_missing=[...] and allow_unexpected=[...]'
    )
