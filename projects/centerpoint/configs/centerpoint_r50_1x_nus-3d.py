# BEVDistill's student, single frame, with CenterPoint (arXiv 2006.11275) for a teacher: the BEV map is imitated under a soft
# foreground mask. Student, data and schedule are those of BEVDistill's row.
#
# Command   torchrun --nproc_per_node 8 tools/train.py projects/centerpoint/configs/centerpoint_r50_1x_nus-3d.py \
#               --launcher pytorch --cfg-options model.teacher_checkpoint=FILE
#           FILE: mmdet3d's public weights, see projects/centerpoint/README.md
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    Not measured here yet.
# Note      mmdet3d's weights do not say which classes they know: that is said by the head's tasks, hence trust_teacher.
_base_ = [
    '../../../configs/bevdistill/bevdistill_r50_1x_nus-3d.py',
    './_base_/centerpoint_voxel01.py',
    './_base_/losses.py',
]

custom_imports = dict(imports=['bevdistill', 'projects.centerpoint'])
model = dict(
    teacher=dict(_delete_=True, **_base_.centerpoint),
    trust_teacher=True,
    data_preprocessor={
        **_base_.centerpoint_voxels,
        'voxel_layer': dict(_delete_=True, **_base_.centerpoint_voxels.voxel_layer),
    },
    losses=dict(_delete_=True, **_base_.centerpoint_losses),
)
