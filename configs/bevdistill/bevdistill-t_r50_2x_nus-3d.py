# BEVDistill-R50-T: the temporal student, distilled as the paper's text has it (arXiv 2211.09386, section 3.2).
#
# Command   torchrun --nproc_per_node 8 tools/train.py configs/bevdistill/bevdistill-t_r50_2x_nus-3d.py \
#               --launcher pytorch --cfg-options model.teacher_checkpoint=FILE
#           FILE: from configs/object_dgcnn/teacher_voxel01_cbgs_20e_nus-3d.py
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    NDS 51.5, mAP 40.7 on nuScenes val: from the paper. Not measured here.
_base_ = [
    '../_base_/models/bevformer_r50.py',
    '../_base_/models/object-dgcnn_voxel01_teacher.py',
    '../_base_/losses/bevdistill.py',
    '../_base_/datasets/nus-3d_temporal.py',
    '../_base_/schedules/cosine-24e.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='BEVDistiller',
    student=dict(**_base_.student, queue_length=_base_.queue_length),
    teacher=_base_.teacher,
    teacher_checkpoint=None,
    teacher_cache=None,
    class_names=_base_.class_names,
    data_preprocessor=dict(**_base_.student_preprocessor, **_base_.teacher_voxels),
    init_from_teacher=False,
    losses=_base_.distill_losses,
)
