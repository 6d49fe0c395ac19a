# BEVDistill's student, single frame, with CenterPoint (arXiv 2006.11275) for a teacher: the BEV map and the class heatmap are
# imitated. The student has an auxiliary heatmap here, that of configs/bevdistill/bevdistill_r50_1x_released_nus-3d.py.
#
# Command   torchrun --nproc_per_node 8 tools/train.py \
#               projects/centerpoint/configs/centerpoint-heatmap_r50_1x_nus-3d.py \
#               --launcher pytorch --cfg-options model.teacher_checkpoint=FILE
#           FILE: mmdet3d's public weights, see projects/centerpoint/README.md
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    Not measured here yet.
# Note      To be compared with rows whose student has the heatmap too. The undistilled one: this config with
#           --cfg-options model.losses.{dense,heatmap}.weight=0
_base_ = ['./centerpoint_r50_1x_nus-3d.py']

model = dict(
    student=dict(
        pts_bbox_head=dict(
            aux_heatmap=dict(_delete_=True, share_channels=256, head_channels=64, num_convs=3, detach_input=False)
        )
    ),
    losses=dict(heatmap=_base_.centerpoint_heatmap),
)
