# What a ResNet-101 changes in BEVFormer with a ResNet-50: depth, Caffe's form of the bottleneck, BGR images without
# division by a deviation, and the FCOS3D weights of BEVFormer's authors to start from.
r101_weights = 'https://github.com/zhiqi-li/storage/releases/download/v1.0/r101_dcn_fcos3d_pretrain.pth'
r101_student = dict(
    img_backbone=dict(depth=101, style='caffe', init_cfg=dict(checkpoint=r101_weights)),
    img_neck=dict(init_cfg=dict(checkpoint=r101_weights)),
)
r101_preprocessor = dict(mean=[103.530, 116.280, 123.675], std=[1.0, 1.0, 1.0], bgr_to_rgb=False)
