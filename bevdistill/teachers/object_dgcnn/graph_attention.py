"""Graph convolution among object queries, in place of self-attention.

Legend: B samples, Q queries, C channels, K neighbours.
"""

from __future__ import annotations

import torch
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn


@MODELS.register_module()
class DGCNNAttention(BaseModule):
    """Two edge convolutions over graphs of queries that lie close in feature space (Object-DGCNN, section 3.2).

    With x = query + position and N(i) the K nearest queries of i, itself included::

        edge(x)_i = max over j in N(i) of ReLU(BN(W [x_j, x_i]))
        y1 = edge1(x), y2 = edge2(y1) on a graph of its own, output = query + dropout(y1 + y2)

    Args:
        embed_dims: C.
        num_neighbours: K.
        dropout: Probability on y1 + y2.
        released_farthest: Pick the K *farthest* queries, as the published code does and its weights expect.
        num_heads: Not used; a decoder hands it to whatever mixes its queries.
        batch_first: Whether tensors are (B, Q, C) or (Q, B, C).

    Note:
        The published code takes the largest distances, against the paper's text; hence the switch.
    """

    def __init__(
        self,
        embed_dims: int,
        num_neighbours: int = 16,
        dropout: float = 0.1,
        released_farthest: bool = False,
        num_heads: int | None = None,
        batch_first: bool = False,
    ) -> None:
        super().__init__()
        if num_neighbours < 1:
            raise ValueError(f'num_neighbours must be positive, got {num_neighbours}')
        self.embed_dims = embed_dims
        self.num_neighbours = num_neighbours
        self.released_farthest = released_farthest
        self.batch_first = batch_first
        self.conv1 = self._edge_layer(embed_dims)
        self.conv2 = self._edge_layer(embed_dims)
        self.dropout = nn.Dropout(dropout)

    @staticmethod
    def _edge_layer(channels: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(2 * channels, channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )

    def forward(
        self,
        query: Tensor,
        key: Tensor | None = None,
        value: Tensor | None = None,
        identity: Tensor | None = None,
        query_pos: Tensor | None = None,
        **kwargs: object,
    ) -> Tensor:
        """Mix the queries of each sample.

        Args:
            query: (B, Q, C) with `batch_first`, else (Q, B, C).
            key: Not used: the graph is that of the queries.
            value: Not used.
            identity: Residual, the query by default.
            query_pos: Position of the queries, added before the graph is built, with the shape of `query`.
            **kwargs: Not used; what the decoder hands to its cross-attention comes along.

        Returns:
            As `query`.

        Raises:
            ValueError: If there are fewer than K queries.
        """
        identity = query if identity is None else identity
        x_BQC = query if query_pos is None else query + query_pos
        if not self.batch_first:
            x_BQC = x_BQC.transpose(0, 1)
        first_BQC = self._edge_convolution(x_BQC, self.conv1)
        mixed_BQC = first_BQC + self._edge_convolution(first_BQC, self.conv2)
        if not self.batch_first:
            mixed_BQC = mixed_BQC.transpose(0, 1)
        return identity + self.dropout(mixed_BQC)

    def _edge_convolution(self, x_BQC: Tensor, layer: nn.Module) -> Tensor:
        batch, queries, channels = x_BQC.shape
        neighbour_BQK = self._neighbours(x_BQC)
        index = neighbour_BQK.reshape(batch, -1, 1).expand(-1, -1, channels)
        neighbour_BQKC = x_BQC.gather(1, index).view(batch, queries, -1, channels)
        edge_BQKC = torch.cat((neighbour_BQKC, x_BQC[:, :, None].expand_as(neighbour_BQKC)), dim=-1)
        return layer(edge_BQKC.permute(0, 3, 1, 2)).amax(dim=-1).transpose(1, 2)

    @torch.no_grad()
    def _neighbours(self, x_BQC: Tensor) -> Tensor:
        """Find the K nearest (or farthest) queries of each query, (B, Q, K)."""
        if x_BQC.shape[1] < self.num_neighbours:
            raise ValueError(
                f'DGCNNAttention picks {self.num_neighbours} neighbours among {x_BQC.shape[1]} queries; '
                'lower num_neighbours or raise num_queries'
            )
        with torch.autocast(x_BQC.device.type, enabled=False):
            distance_BQQ = torch.cdist(x_BQC.float(), x_BQC.float())
        return distance_BQQ.topk(self.num_neighbours, dim=-1, largest=self.released_farthest).indices
