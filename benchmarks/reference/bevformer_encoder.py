"""BEVFormer's encoder as one would write it first, from the equations of arXiv 2203.17270, section 3.

It has the parameter names of :class:`bevdistill.students.bevformer.BEVFormerEncoder` and its arguments, and the
structure of the original: hit mask and indices in every layer, loops over samples and cameras, lists of queries padded
to a common length, one sampling a level with the samples stacked, both entries of the temporal attention as maps of
their own, also where they are the same.

Legend: B samples, N cameras, Q BEV queries, V visible queries (padded), C channels, S tokens, M heads, K channels of a
head, L levels, P points, D pillar points.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bevdistill.layers import FeatureLevels
from bevdistill.structures import BEVGrid
from bevdistill.students.bevformer import BEVFormerEncoder, FrameGeometry

EPSILON = 1e-5


def sample(value_BSMK: Tensor, sizes: tuple[tuple[int, int], ...], locations: Tensor, weights: Tensor) -> Tensor:
    """Deformable attention's weighted sum of samples: locations (B, Q, M, L, P, 2), weights (B, Q, M, L, P)."""
    batch, _, heads, channels = value_BSMK.shape
    _, queries, _, num_levels, points, _ = locations.shape
    grids = 2 * locations - 1
    sampled = []
    for level, tokens in enumerate(value_BSMK.split([height * width for height, width in sizes], dim=1)):
        height, width = sizes[level]
        maps = tokens.flatten(2).transpose(1, 2).reshape(batch * heads, channels, height, width)
        grid = grids[:, :, :, level].transpose(1, 2).flatten(0, 1)
        sampled.append(
            functional.grid_sample(maps, grid, mode='bilinear', padding_mode='zeros', align_corners=False)
        )
    weights = weights.transpose(1, 2).reshape(batch * heads, 1, queries, num_levels * points)
    output = (torch.stack(sampled, dim=-2).flatten(-2) * weights).sum(-1)
    return output.view(batch, heads * channels, queries).transpose(1, 2).contiguous()


def reference_points(grid: BEVGrid, num_points: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cell centres (Q, 2) and pillar points (D, Q, 3), both in [0, 1] of the range."""
    rows, cols = grid.rows, grid.cols
    row, col = torch.meshgrid(
        torch.linspace(0.5, rows - 0.5, rows, dtype=like.dtype, device=like.device) / rows,
        torch.linspace(0.5, cols - 0.5, cols, dtype=like.dtype, device=like.device) / cols,
        indexing='ij',
    )
    centres = torch.stack((col.flatten(), row.flatten()), dim=-1)
    height = grid.extent[2]
    z = torch.linspace(0.5, height - 0.5, num_points, dtype=like.dtype, device=like.device) / height
    z = z.view(-1, 1, 1).expand(num_points, rows * cols, 1)
    return centres, torch.cat((centres[None].expand(num_points, -1, -1), z), dim=-1)


def project(points_DQ3: Tensor, frames: FrameGeometry, grid: BEVGrid) -> tuple[Tensor, Tensor]:
    """Pillar points in the images, (N, B, Q, D, 2) in [0, 1], and which of them are seen, (N, B, Q, D)."""
    matrix = frames.lidar2img.to(points_DQ3)
    batch, cams = matrix.shape[:2]
    depth, queries = points_DQ3.shape[:2]
    low, high = (points_DQ3.new_tensor(grid.point_cloud_range[axes]) for axes in (slice(0, 3), slice(3, 6)))
    metres = points_DQ3 * (high - low) + low
    metres = torch.cat((metres, torch.ones_like(metres[..., :1])), dim=-1)
    metres = metres.view(depth, 1, 1, queries, 4, 1).repeat(1, batch, cams, 1, 1, 1)
    matrix = matrix.view(1, batch, cams, 1, 4, 4).repeat(depth, 1, 1, queries, 1, 1)
    seen_from = torch.matmul(matrix, metres).squeeze(-1)
    mask = seen_from[..., 2:3] > EPSILON
    uv = seen_from[..., :2] / torch.maximum(seen_from[..., 2:3], torch.ones_like(seen_from[..., 2:3]) * EPSILON)
    height, width = frames.image_size
    uv = uv / uv.new_tensor([width, height])
    mask = mask & (uv[..., 0:1] > 0) & (uv[..., 0:1] < 1) & (uv[..., 1:2] > 0) & (uv[..., 1:2] < 1)
    return uv.permute(2, 1, 3, 0, 4), mask.squeeze(-1).permute(2, 1, 3, 0)


class ReferenceTemporalAttention(nn.Module):
    """Temporal self-attention with the modules of ours."""

    def __init__(self, attention: Any) -> None:
        super().__init__()
        self.num_heads, self.num_points = attention.num_heads, attention.num_points
        self.sampling_offsets, self.attention_weights = attention.sampling_offsets, attention.attention_weights
        self.value_proj, self.output_proj, self.dropout = attention.value_proj, attention.output_proj, attention.dropout

    def forward(
        self, query: Tensor, query_pos: Tensor, past: Tensor, present: Tensor, references: Tensor, size: tuple[int, int]
    ) -> Tensor:
        """Attend.

        Args:
            query: Running queries, (B, Q, C).
            query_pos: Their position, (B, Q, C).
            past: First entry, (B, Q, C).
            present: Second entry, (B, Q, C).
            references: For each entry, (2 B, Q, 1, 2), entries inside samples.
            size: Rows and columns of the grid.
        """
        batch, queries, channels = query.shape
        heads, points = self.num_heads, self.num_points
        value = torch.stack((past, present), dim=1).reshape(batch * 2, queries, channels)
        asking = torch.cat((past, query + query_pos), dim=-1)
        value = self.value_proj(value).reshape(batch * 2, queries, heads, -1)
        offsets = self.sampling_offsets(asking).view(batch, queries, heads, 2, 1, points, 2)
        weights = self.attention_weights(asking).view(batch, queries, heads, 2, points).softmax(-1)
        weights = weights.view(batch, queries, heads, 2, 1, points)
        weights = weights.permute(0, 3, 1, 2, 4, 5).reshape(batch * 2, queries, heads, 1, points).contiguous()
        offsets = offsets.permute(0, 3, 1, 2, 4, 5, 6).reshape(batch * 2, queries, heads, 1, points, 2)
        normaliser = offsets.new_tensor([[size[1], size[0]]])
        locations = references[:, :, None, :, None, :] + offsets / normaliser[None, None, None, :, None, :]
        output = sample(value, (size,), locations, weights)
        output = output.permute(1, 2, 0).view(queries, channels, batch, 2).mean(dim=-1).permute(2, 0, 1)
        return self.dropout(self.output_proj(output)) + query


class ReferenceSpatialAttention(nn.Module):
    """Spatial cross-attention with the modules of ours."""

    deformable_attention: Any
    output_proj: Any
    dropout: Any

    def __init__(self, attention: Any) -> None:
        super().__init__()
        self.deformable_attention = attention.deformable_attention
        self.output_proj, self.dropout = attention.output_proj, attention.dropout

    def forward(self, query: Tensor, value: Tensor, uv: Tensor, seen: Tensor, levels: FeatureLevels) -> Tensor:
        """Attend.

        Args:
            query: (B, Q, C).
            value: Camera tokens, (N, S, B, C).
            uv: (N, B, Q, D, 2).
            seen: (N, B, Q, D).
            levels: Sizes of the camera's maps.
        """
        batch, _, channels = query.shape
        cams, tokens, _, _ = value.shape
        depth = uv.shape[3]
        slots = torch.zeros_like(query)
        indices = [[seen[n, b].sum(-1).nonzero().squeeze(-1) for n in range(cams)] for b in range(batch)]
        length = max(max(len(index) for index in row) for row in indices)
        padded = query.new_zeros(batch, cams, max(length, 1), channels)
        points = uv.new_zeros(batch, cams, max(length, 1), depth, 2)
        for b in range(batch):
            for n, index in enumerate(indices[b]):
                padded[b, n, : len(index)] = query[b, index]
                points[b, n, : len(index)] = uv[n, b, index]
        value = value.permute(2, 0, 1, 3).reshape(batch * cams, tokens, channels)
        looked = self.look(padded.flatten(0, 1), value, points.flatten(0, 1).to(query), levels)
        looked = looked.view(batch, cams, -1, channels)
        for b in range(batch):
            for n, index in enumerate(indices[b]):
                slots[b, index] += looked[b, n, : len(index)]
        count = (seen.sum(-1) > 0).permute(1, 2, 0).sum(-1).clamp(min=1.0)
        return self.dropout(self.output_proj(slots / count[..., None])) + query

    def look(self, query: Tensor, value: Tensor, points: Tensor, levels: FeatureLevels) -> Tensor:
        """Deformable attention around pillar points: query (B N, V, C), points (B N, V, D, 2)."""
        inner = self.deformable_attention
        batch, visible, _ = query.shape
        heads, num_levels, num_points = inner.num_heads, inner.num_levels, inner.num_points
        depth = points.shape[2]
        value = inner.value_proj(value).view(batch, value.shape[1], heads, -1)
        offsets = inner.sampling_offsets(query).view(batch, visible, heads, num_levels, num_points, 2)
        weights = inner.attention_weights(query).view(batch, visible, heads, num_levels * num_points).softmax(-1)
        weights = weights.view(batch, visible, heads, num_levels, num_points)
        normaliser = torch.stack((levels.shapes[..., 1], levels.shapes[..., 0]), dim=-1)
        offsets = offsets / normaliser[None, None, None, :, None, :]
        offsets = offsets.view(batch, visible, heads, num_levels, num_points // depth, depth, 2)
        locations = points[:, :, None, None, None] + offsets
        locations = locations.view(batch, visible, heads, num_levels, num_points, 2)
        return sample(value, levels.sizes, locations, weights)


class ReferenceLayer(nn.Module):
    """One layer with the modules of ours."""

    attentions: Any
    ffns: Any
    norms: Any

    def __init__(self, layer: Any) -> None:
        super().__init__()
        temporal, spatial = layer.attentions
        self.attentions = nn.ModuleList((ReferenceTemporalAttention(temporal), ReferenceSpatialAttention(spatial)))
        self.ffns, self.norms = layer.ffns, layer.norms


class ReferenceEncoder(nn.Module):
    """The encoder; made by :meth:`from_module`, called like :class:`BEVFormerEncoder`."""

    def __init__(self, encoder: BEVFormerEncoder) -> None:
        super().__init__()
        self.grid, self.num_pillar_points = encoder.grid, encoder.num_pillar_points
        self.released_shift_both = encoder.released_shift_both
        self.layers = nn.ModuleList(ReferenceLayer(layer) for layer in encoder.layers)

    @classmethod
    def from_module(cls, encoder: BEVFormerEncoder) -> ReferenceEncoder:
        """The reference with copies of the weights of an encoder, in its mode."""
        return cls(copy.deepcopy(encoder)).train(encoder.training)

    def forward(
        self,
        query_BQC: Tensor,
        query_pos_BQC: Tensor,
        value_BNSC: Tensor,
        levels: FeatureLevels,
        frames: FrameGeometry,
        shift_B2: Tensor,
        prev_bev_BQC: Tensor | None = None,
        history_exists_B: Tensor | None = None,
    ) -> Tensor:
        """See :meth:`BEVFormerEncoder.forward`."""
        batch = len(query_BQC)
        centres, pillars = reference_points(self.grid, self.num_pillar_points, frames.lidar2img)
        uv, seen = project(pillars, frames, self.grid)
        exists = torch.zeros(batch, dtype=torch.bool, device=query_BQC.device)
        if prev_bev_BQC is not None:
            exists = torch.ones_like(exists) if history_exists_B is None else history_exists_B
        references = torch.stack([self.references(centres, shift_B2[b], exists[b]) for b in range(batch)])
        references = references.view(batch * 2, -1, 1, 2)
        query_pos = query_pos_BQC.repeat(batch // len(query_pos_BQC), 1, 1)
        value = value_BNSC.permute(1, 2, 0, 3)
        query, start = query_BQC, query_BQC
        layers: Any = self.layers
        for layer in layers:
            temporal, spatial = layer.attentions
            past = torch.stack([
                prev_bev_BQC[b] if prev_bev_BQC is not None and exists[b] else query[b] for b in range(batch)
            ])
            present = torch.stack([start[b] if exists[b] else query[b] for b in range(batch)])
            query = temporal(query, query_pos, past, present, references, (self.grid.rows, self.grid.cols))
            query = layer.norms[0](query)
            query = layer.norms[1](spatial(query, value, uv, seen, levels))
            query = layer.norms[2](layer.ffns[0](query))
        return query

    def references(self, centres_Q2: Tensor, shift_2: Tensor, exists: Tensor) -> Tensor:
        """Where a sample's queries look in history and present, (2, Q, 2)."""
        past, present = centres_Q2, centres_Q2
        if self.released_shift_both or exists:
            past = centres_Q2 + shift_2
        if self.released_shift_both:
            present = centres_Q2 + shift_2
        return torch.stack((past, present))
