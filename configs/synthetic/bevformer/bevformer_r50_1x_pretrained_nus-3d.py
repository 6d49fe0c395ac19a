# CPU-sized config of the undistilled student that starts as the paper's does, from a camera backbone that was trained before, on
# other drives.
#
# Command   python tools/train.py configs/synthetic/bevformer/bevformer_r50_1x_pretrained_nus-3d.py --cfg-options \
#               model.img_backbone.init_cfg.checkpoint=FILE model.img_neck.init_cfg.checkpoint=FILE
#           FILE: from configs/synthetic/bevformer/bevformer_r50_1x_pretraining_nus-3d.py
# Hardware  2 CPU cores.
# Result    see docs/results/paper_condition.md: measured here.
_base_ = ['./bevformer_r50_1x_nus-3d.py', '../_base_/cpu_pretrained.py']

model = _base_.cpu_pretrained
optim_wrapper = _base_.cpu_pretrained_optim_wrapper
