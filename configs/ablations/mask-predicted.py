# Ablation of BEVDistill: dense imitation where the student's own heatmap sees objects.
#
# Command   torchrun --nproc_per_node 8 tools/train.py configs/ablations/mask-predicted.py --launcher pytorch \
#               --cfg-options model.teacher_checkpoint=FILE
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    Not measured here.
# Note      The student needs the auxiliary heatmap; compare with baseline-aux-head.py.
_base_ = ['../bevdistill/bevdistill_r50_1x_nus-3d.py', '../_base_/losses/bevdistill_released.py']

model = dict(
    student=dict(pts_bbox_head=dict(aux_heatmap=dict(_delete_=True, **_base_.released_aux_heatmap))),
    losses=dict(dense=dict(mask=dict(_delete_=True, type='PredictedForeground', source='student'))),
)
