# BEVFormer-T, ResNet-50, as the authors' release of BEVDistill computes its student, auxiliary heatmap included: to test
# its public weights alone. Train anew with bevformer-t_r50_2x_nus-3d.py.
#
# Command   python tools/model_converters/convert_official.py FILE student.pth --kind bevdistill-student
#           python tools/test.py configs/bevformer/bevformer-t_r50_2x_released_nus-3d.py student.pth
# Hardware  One GPU.
# Result    NDS 51.5, mAP 40.7 on nuScenes val, distilled: from the paper's repository. Not measured here.
# Note      The undistilled model has no heatmap: --cfg-options model.pts_bbox_head.aux_heatmap=None
_base_ = [
    './bevformer-t_r50_2x_nus-3d.py',
    '../_base_/losses/bevdistill_released.py',
    '../_base_/models/bevformer_released.py',
]
model = dict(
    pts_bbox_head=dict(
        aux_heatmap=dict(_delete_=True, **_base_.released_aux_heatmap),
        **_base_.released_student.pts_bbox_head,
    ),
)
train_dataloader = _base_.released_train_dataloader
val_dataloader = _base_.released_test_dataloader
test_dataloader = _base_.released_test_dataloader
