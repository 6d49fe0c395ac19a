# DistillBEV-R50, single frame: foreground and background of the BEV map are imitated apart (arXiv 2309.15109). Student,
# teacher, data and schedule are those of BEVDistill's row; the losses are all that differs.
#
# Command   torchrun --nproc_per_node 8 tools/train.py projects/distillbev/configs/distillbev_r50_1x_nus-3d.py \
#               --launcher pytorch --cfg-options model.teacher_checkpoint=FILE
#           FILE: from configs/object_dgcnn/teacher_voxel01_cbgs_20e_nus-3d.py
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    Not measured here yet. Its BEVFormer R50 went from NDS 43.4, mAP 32.3 to NDS 46.8, mAP 35.9 with a LiDAR teacher:
#           from the paper's repository; another student and other data, and the student's decoder and branches started
#           from the teacher there (here: init_from_teacher, off on every row).
_base_ = ['../../../configs/bevdistill/bevdistill_r50_1x_nus-3d.py', './_base_/losses.py']

custom_imports = dict(imports=['bevdistill', 'projects.distillbev'])
model = dict(losses=dict(_delete_=True, **_base_.distillbev_losses))
