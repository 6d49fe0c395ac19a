# Ablation of BEVDistill: the undistilled student with the auxiliary heatmap.
#
# Command   torchrun --nproc_per_node 8 tools/train.py configs/ablations/baseline-aux-head.py --launcher pytorch
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    Not measured here.
# Note      The control for every row that teaches through the heatmap: the heatmap alone is supervision too.
_base_ = ['../bevformer/bevformer_r50_1x_nus-3d.py', '../_base_/losses/bevdistill_released.py']

model = dict(pts_bbox_head=dict(aux_heatmap=dict(_delete_=True, **_base_.released_aux_heatmap)))
