from __future__ import annotations

import pytest
import torch

from bevdistill.teachers import DGCNNAttention


def loop_attention(module: DGCNNAttention, query: torch.Tensor, query_pos: torch.Tensor) -> torch.Tensor:
    """Query by query and neighbour by neighbour; batch norm in eval mode works on single edges."""

    def edge_convolution(x: torch.Tensor, layer: torch.nn.Module) -> torch.Tensor:
        out = torch.zeros_like(x)
        for b in range(x.shape[0]):
            for i in range(x.shape[1]):
                distances = [float((x[b, i] - x[b, j]).norm()) for j in range(x.shape[1])]
                order = sorted(range(x.shape[1]), key=distances.__getitem__, reverse=module.released_farthest)
                messages = [
                    layer(torch.cat((x[b, j], x[b, i]))[None, :, None, None]).flatten()
                    for j in order[: module.num_neighbours]
                ]
                out[b, i] = torch.stack(messages).amax(dim=0)
        return out

    first = edge_convolution(query + query_pos, module.conv1)
    return query + first + edge_convolution(first, module.conv2)


@pytest.mark.parametrize('farthest', [False, True])
@torch.no_grad()
def test_matches_a_loop_over_queries_and_neighbours(farthest: bool) -> None:
    module = DGCNNAttention(6, num_neighbours=3, released_farthest=farthest).eval()
    for buffer in module.buffers():
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 1.5)
    query, query_pos = torch.randn(2, 7, 6), torch.randn(2, 7, 6)
    module.batch_first = True
    got = module(query, query_pos=query_pos)
    torch.testing.assert_close(got, loop_attention(module, query, query_pos), atol=1e-5, rtol=1e-4)
    module.batch_first = False
    other = module(query.transpose(0, 1), query_pos=query_pos.transpose(0, 1))
    torch.testing.assert_close(other.transpose(0, 1), got)


def test_nearest_includes_the_query_itself_and_farthest_does_not() -> None:
    x = torch.randn(1, 9, 4)
    own = torch.arange(9)[None, :, None]
    assert (DGCNNAttention(4, num_neighbours=2)._neighbours(x) == own).any(dim=-1).all()
    assert not (DGCNNAttention(4, num_neighbours=2, released_farthest=True)._neighbours(x) == own).any()


def test_published_names_and_shapes() -> None:
    shapes = {name: tuple(value.shape) for name, value in DGCNNAttention(256).state_dict().items()}
    assert shapes['conv1.0.weight'] == shapes['conv2.0.weight'] == (256, 512, 1, 1)
    assert shapes['conv1.1.running_var'] == (256,)
    assert len(shapes) == 12


def test_gradient_reaches_query_position_and_weights() -> None:
    module = DGCNNAttention(6, num_neighbours=3, batch_first=True)
    query, query_pos = torch.randn(2, 7, 6, requires_grad=True), torch.randn(2, 7, 6, requires_grad=True)
    module(query, query_pos=query_pos).square().sum().backward()
    assert query.grad is not None and query_pos.grad is not None
    assert all(parameter.grad is not None for parameter in module.parameters())


def test_as_many_neighbours_as_queries_is_the_limit() -> None:
    module = DGCNNAttention(4, num_neighbours=5, batch_first=True)
    assert module(torch.randn(2, 5, 4)).shape == (2, 5, 4)
    with pytest.raises(ValueError, match='5 neighbours among 4 queries; lower num_neighbours or raise num_queries'):
        module(torch.randn(2, 4, 4))
    with pytest.raises(ValueError, match='must be positive, got 0'):
        DGCNNAttention(4, num_neighbours=0)
