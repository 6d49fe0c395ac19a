# BEVDistill-R50 (arXiv 2211.09386) and the distances of the teacher's heatmap along each ray.
#
# Command   torchrun --nproc_per_node 8 tools/train.py projects/teachable/configs/teachable-rays_r50_1x_nus-3d.py \
#               --launcher pytorch --cfg-options model.teacher_checkpoint=FILE
#           FILE: from configs/object_dgcnn/teacher_voxel01_cbgs_20e_nus-3d.py
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    Not measured here yet on nuScenes; no paper has it. The CPU-sized result: docs/results/candidates.md.
# Note      To be compared with rows whose student has the heatmap too.
_base_ = ['../../../configs/bevdistill/bevdistill_r50_1x_nus-3d.py', './_base_/losses.py']

custom_imports = dict(imports=['bevdistill', 'projects.teachable'])
model = dict(
    student=dict(
        pts_bbox_head=dict(
            aux_heatmap=dict(_delete_=True, share_channels=256, head_channels=64, num_convs=3, detach_input=False)
        )
    ),
    losses=dict(rays=_base_.teachable_rays),
)
