# BEVDistill-R50, single frame, with the losses of the authors' release.
#
# Command   torchrun --nproc_per_node 8 tools/train.py configs/bevdistill/bevdistill_r50_1x_released_nus-3d.py \
#               --launcher pytorch --cfg-options model.teacher_checkpoint=FILE
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    NDS 45.7, mAP 38.6 on nuScenes val: from the paper's repository. Not measured here.
# Note      Known defects of the release are off; `released_*` options of the losses turn them on.
_base_ = ['./bevdistill_r50_1x_nus-3d.py', '../_base_/losses/bevdistill_released.py']

model = dict(
    student=dict(pts_bbox_head=dict(aux_heatmap=dict(_delete_=True, **_base_.released_aux_heatmap))),
    losses=dict(_delete_=True, **_base_.released_losses),
)
