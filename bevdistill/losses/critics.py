"""Critics: projections into the space where student and teacher are compared."""

from __future__ import annotations

from typing import Literal

from mmdet3d.registry import MODELS
from torch import Tensor, nn

from ..distributed.batch_norm import SetBatchNorm

NORMS: dict[str, type[nn.Module]] = {'BN': SetBatchNorm, 'LN': nn.LayerNorm}


@MODELS.register_module()
class MLPCritic(nn.Module):
    """Linear projections followed by a small MLP, the g of InfoNCE.

    ``projections`` linear layers without activation in between (the release: 1), then an MLP of ``depth`` linear layers
    with norm and ReLU between them (the release: 2 with batch norm). The first layer goes from `in_channels` to
    `channels`, all others keep `channels`. ``projections=0, depth=0`` is the identity.

    Args:
        in_channels: Channels of the vectors.
        channels: Channels of the space of comparison.
        depth: Number of linear layers of the MLP.
        projections: Number of plain linear layers before it.
        norm: ``'LN'``, ``'BN'`` or None, after all but the last layer of the MLP. Batch norm makes the loss of a row
            depend on all rows of its set, see :class:`~bevdistill.distributed.batch_norm.SetBatchNorm`.

    Raises:
        ValueError: If a number is negative, or the norm is unknown.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        depth: int = 2,
        projections: int = 0,
        norm: Literal['LN', 'BN'] | None = 'LN',
    ) -> None:
        super().__init__()
        if depth < 0 or projections < 0:
            raise ValueError(f'depth and projections must not be negative, got {depth} and {projections}')
        if norm is not None and norm not in NORMS:
            raise ValueError(f'norm must be one of {sorted(NORMS)} or None, got {norm!r}')
        self.in_channels = in_channels
        widths = [in_channels] + [channels] * (projections + depth)
        self.projections = nn.Sequential(*(nn.Linear(widths[i], channels) for i in range(projections)))
        layers: list[nn.Module] = []
        for index in range(depth):
            layers.append(nn.Linear(widths[projections + index], channels))
            if index < depth - 1:
                layers += [NORMS[norm](channels)] if norm else []
                layers.append(nn.ReLU(inplace=True))
        self.mlp = nn.Sequential(*layers)

    def forward(self, vectors: Tensor) -> Tensor:
        """Map rows (N, C), or S sets of rows (S, N, C), to C' channels; without batch norm any leading dimensions.

        Raises:
            ValueError: If the vectors do not have `in_channels` channels.
        """
        if vectors.shape[-1] != self.in_channels:
            raise ValueError(
                f'a critic was built for {self.in_channels} channels but got vectors of shape {tuple(vectors.shape)}'
            )
        return self.mlp(self.projections(vectors))


def has_batch_norm(module: nn.Module) -> bool:
    """Return whether rows of a batch influence each other in training (batch norm)."""
    return any(isinstance(child, SetBatchNorm | nn.modules.batchnorm._BatchNorm) for child in module.modules())


def normalise_over_ranks(critic: nn.Module) -> None:
    """Make the batch norms of a critic normalise over the rows of all ranks as one set."""
    for child in critic.modules():
        if isinstance(child, SetBatchNorm):
            child.over_ranks = True
