# CPU-sized config: BEVDistill, form of the paper, whose student starts as the paper's does, from a camera backbone that was
# trained before, on other drives.
#
# Command   python tools/train.py configs/synthetic/bevdistill/bevdistill_r50_1x_pretrained_nus-3d.py \
#               --cfg-options model.teacher_checkpoint=TEACHER \
#               model.student.img_backbone.init_cfg.checkpoint=CAMERA model.student.img_neck.init_cfg.checkpoint=CAMERA
#           TEACHER: from configs/synthetic/object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py
#           CAMERA: from configs/synthetic/bevformer/bevformer_r50_1x_pretraining_nus-3d.py
# Hardware  2 CPU cores.
# Result    see docs/results/paper_condition.md: measured here.
_base_ = ['./bevdistill_r50_1x_nus-3d.py', '../_base_/cpu_pretrained.py']

model = dict(student=_base_.cpu_pretrained)
optim_wrapper = _base_.cpu_pretrained_optim_wrapper
