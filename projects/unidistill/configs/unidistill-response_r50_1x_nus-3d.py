# UniDistill-R50, single frame, with all three losses (arXiv 2303.15083): the third compares class heatmaps, so that the
# student has an auxiliary heatmap here, that of configs/bevdistill/bevdistill_r50_1x_released_nus-3d.py.
#
# Command   torchrun --nproc_per_node 8 tools/train.py \
#               projects/unidistill/configs/unidistill-response_r50_1x_nus-3d.py \
#               --launcher pytorch --cfg-options model.teacher_checkpoint=FILE
#           FILE: from configs/object_dgcnn/teacher_voxel01_cbgs_20e_nus-3d.py
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    Not measured here yet.
# Note      To be compared with rows whose student has the heatmap too. The undistilled one: this config with
#           --cfg-options model.losses.{feature,relation,response,boxes}.weight=0
_base_ = ['./unidistill_r50_1x_nus-3d.py']

model = dict(
    student=dict(
        pts_bbox_head=dict(
            aux_heatmap=dict(_delete_=True, share_channels=256, head_channels=64, num_convs=3, detach_input=False)
        )
    ),
    losses=_base_.unidistill_response,
)
