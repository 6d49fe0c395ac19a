# BEVFormer-base as the code behind its public weights computes it; train anew with bevformer_base_24e_nus-3d.py.
#
# Command   python tools/model_converters/convert_official.py bevformer_r101_dcn_24ep.pth bevformer_base.pth --kind bevformer
#           python tools/test.py configs/bevformer/bevformer_base_24e_released_nus-3d.py bevformer_base.pth
# Hardware  One GPU.
# Result    NDS 51.7, mAP 41.6 on nuScenes val: from the paper's repository. Not measured here.
_base_ = ['./bevformer_base_24e_nus-3d.py', '../_base_/models/bevformer_released.py']

model = _base_.released_student
train_dataloader = _base_.released_train_dataloader
val_dataloader = _base_.released_test_dataloader
test_dataloader = _base_.released_test_dataloader
