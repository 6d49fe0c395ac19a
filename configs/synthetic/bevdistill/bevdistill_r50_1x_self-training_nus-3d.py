# Control: self-training. As bevdistill_r50_1x_unlabelled-boxes_nus-3d.py, but the teacher is a camera model, the student's
# own architecture, trained with the labelled frames alone. What LiDAR adds is the difference between the two.
#
# Command   python tools/train.py configs/synthetic/bevdistill/bevdistill_r50_1x_self-training_nus-3d.py \
#               --cfg-options model.teacher_checkpoint=FILE
#           FILE: from ../bevformer/bevformer_r50_1x_few-labels_nus-3d.py
# Hardware  2 CPU cores.
# Result    see docs/results/benchmark.md: measured here, 600 iterations on preset `temporal`.
_base_ = './bevdistill_r50_1x_unlabelled-boxes_nus-3d.py'

model = dict(teacher=dict(_delete_=True, **_base_.model.student), data_preprocessor=dict(voxel=False))
train_dataloader = dict(dataset=dict(dataset=dict(dataset=dict(modality=dict(use_camera=True, use_lidar=False)))))
