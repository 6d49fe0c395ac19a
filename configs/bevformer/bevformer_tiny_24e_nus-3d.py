# BEVFormer-tiny, the smallest public model (BEVFormer, arXiv 2203.17270): images of half the size, ResNet-50 without
# deformable convolutions, 50 x 50 cells of 2.048 m. For the public weights take bevformer_tiny_24e_released_nus-3d.py.
#
# Command   torchrun --nproc_per_node 8 tools/train.py configs/bevformer/bevformer_tiny_24e_nus-3d.py --launcher pytorch
# Hardware  8 GPUs x 1 sample; the authors name 6.5 GB a GPU. Hours not measured here.
# Result    NDS 35.4, mAP 25.2 on nuScenes val: from the paper's repository. Not measured here.
# Note      The backbone starts from torchvision's weights for ImageNet, the neck from random numbers.
_base_ = './bevformer_small_24e_nus-3d.py'

model = dict(
    img_backbone=dict(
        depth=50,
        style='pytorch',
        with_cp=False,
        dcn=None,
        stage_with_dcn=(False, False, False, False),
        # What 'torchvision://resnet50' stands for; that form needs torchvision to be installed.
        init_cfg=dict(checkpoint='https://download.pytorch.org/models/resnet50-0676ba61.pth', prefix=None),
    ),
    pts_bbox_head=dict(grid=dict(rows=50, cols=50)),
    data_preprocessor=_base_.student_preprocessor,
)
scaled_images = dict(images=dict(transforms=dict(resize=dict(scale=0.5))))
train_dataloader = dict(dataset=dict(dataset=dict(pipeline=scaled_images)))
val_dataloader = dict(dataset=dict(pipeline=scaled_images))
test_dataloader = val_dataloader
