"""MonoDistill (arXiv 2201.10830) on BEV maps: object features, affinity of the scene, object responses.

The responses need nothing of their own: :class:`~bevdistill.losses.InstanceDistillLoss` over
:class:`~bevdistill.losses.GroundTruthPairing`.
"""

from .adaptation import AdaptationBlock
from .feature_loss import MonoDistillFeatureLoss
from .scene_affinity import SceneAffinityLoss, affinity

__all__ = ['AdaptationBlock', 'MonoDistillFeatureLoss', 'SceneAffinityLoss', 'affinity']
