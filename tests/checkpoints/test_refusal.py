"""Why a checkpoint is refused: one line, without torch's advice to load it all the same."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from bevdistill.checkpoints.refusal import UnsafeCheckpointError, reason_of, refused_in_our_words


class Trap:
    """An object that would run code when it is loaded."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ('raise SystemExit',)


def torchs_refusal(folder: Path) -> pickle.UnpicklingError:
    torch.save(dict(state_dict={}, more=Trap()), folder / 'a.pth')
    with pytest.raises(pickle.UnpicklingError) as error:
        torch.load(folder / 'a.pth', weights_only=True)
    return error.value


def test_what_torch_found_is_named(tmp_path: Path) -> None:
    """As this torch words it; its own text advises to switch the check off."""
    refusal = torchs_refusal(tmp_path)
    assert 'weights_only' in str(refusal)
    assert reason_of(refusal) in ('it holds builtins.exec', 'it holds __builtin__.exec', 'it holds exec')


@pytest.mark.parametrize(('error', 'reason'), [
    (pickle.UnpicklingError('Unsupported global: GLOBAL numpy.core.multiarray.scalar was not'),
     'it holds numpy.core.multiarray.scalar'),
    (pickle.UnpicklingError('Unsupported class posix.system'), 'it holds posix.system'),
    (pickle.UnpicklingError('Trying to instantiate `evil.Thing`'), 'it holds evil.Thing'),
    (pickle.UnpicklingError('invalid load key'), 'it holds Python objects, or is damaged'),
    (UnsafeCheckpointError('in our words\nalready'), 'in our words\nalready'),
    (EOFError('Ran out of input\nand more'), 'EOFError: Ran out of input'),
    (KeyError('x' * 500), 'KeyError: ' + repr('x' * 500)[:190]),
])  # fmt: skip
def test_reasons_by_hand(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason


def test_a_refusal_is_one_line_with_nothing_of_torch_behind_it(tmp_path: Path) -> None:
    refusal = torchs_refusal(tmp_path)
    with pytest.raises(UnsafeCheckpointError) as error, refused_in_our_words('a.pth'):
        raise refusal
    text = str(error.value)
    assert text.startswith('checkpoint a.pth: expected tensors and plain data, but it holds ')
    assert text.endswith('Save its weights alone, a dict of tensors with the key state_dict')
    assert '\n' not in text and 'weights_only' not in text
    assert error.value.__cause__ is None and error.value.__suppress_context__
    assert isinstance(error.value, ValueError)


def test_other_errors_pass() -> None:
    ours = UnsafeCheckpointError('ours')
    with pytest.raises(UnsafeCheckpointError) as error, refused_in_our_words('a.pth'):
        raise ours
    assert error.value is ours
    with pytest.raises(EOFError), refused_in_our_words('a.pth'):
        raise EOFError
    with refused_in_our_words('a.pth'):
        pass
