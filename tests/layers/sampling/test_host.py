"""How the compiled kernels are called: heads shared among threads, any layout of gradients."""

from __future__ import annotations

import threading

import pytest
import torch
from sampling_inputs import LEVELS, asked

from bevdistill.layers import sample_deformable
from bevdistill.layers.sampling.host import _for_heads


@pytest.fixture
def threads():
    """Sets torch's number of threads, and gives it back."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize(('count', 'heads', 'expected'), [
    (1, 3, [(0, 3)]), (2, 3, [(0, 1), (1, 3)]), (3, 3, [(0, 1), (1, 2), (2, 3)]), (8, 2, [(0, 1), (1, 2)]),
    (4, 6, [(0, 1), (1, 3), (3, 4), (4, 6)]), (8, 1, [(0, 1)]),
])
def test_every_head_is_computed_once(threads, count, heads, expected):
    threads(count)
    calls, lock = [], threading.Lock()

    def kernel(array, first, last):
        assert array == 'array'
        with lock:
            calls.append((first, last))

    _for_heads(kernel, ['array'], heads)
    assert sorted(calls) == expected


@pytest.mark.parametrize('count', [1, 2])
def test_what_a_kernel_raises_is_raised(threads, count):
    threads(count)

    def kernel(first, last):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        _for_heads(kernel, [], 2)


def test_gradients_of_any_layout():
    """Of a sum, whose gradient is one number expanded, and of a transposed output."""
    given = asked(2, 7)
    output = sample_deformable(given[0], LEVELS, *given[1:])
    summed = torch.autograd.grad(output.sum(), given, retain_graph=True)
    torch.testing.assert_close(summed, torch.autograd.grad((output * 1.0).mul(torch.ones_like(output)).sum(), given))
    onto = torch.randn(20, 7, 2).double()
    output = sample_deformable(given[0], LEVELS, *given[1:])
    turned = torch.autograd.grad(output.permute(2, 1, 0), given, onto, retain_graph=True)
    plain = torch.autograd.grad(output, given, onto.permute(2, 1, 0).contiguous())
    assert all(torch.equal(*pair) for pair in zip(turned, plain, strict=True))


def test_there_is_no_second_derivative():
    """It is refused, not wrong."""
    given = asked(1, 2)
    output = sample_deformable(given[0], LEVELS, *given[1:])
    (gradient,) = torch.autograd.grad(output.square().sum(), given[:1], create_graph=True)
    with pytest.raises(RuntimeError, match='once_differentiable'):
        gradient.sum().backward()
