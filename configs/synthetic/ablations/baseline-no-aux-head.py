# CPU-sized config of the ablation: the undistilled student without the auxiliary heatmap.
#
# Command   python tools/train.py configs/synthetic/ablations/baseline-no-aux-head.py
# Hardware  2 CPU cores.
# Result    Not measured here yet.
# Note      Full size: bevformer/bevformer_r50_1x_nus-3d.py, which has none.
_base_ = '../bevformer/bevformer_r50_1x_nus-3d.py'

model = dict(pts_bbox_head=dict(aux_heatmap=None))
