# Image backbone and neck of a camera detector that was trained on other drives (bevformer_r50_1x_pretraining_nus-3d.py), where
# the paper's students start from FCOS3D. The rest is as in the paper: first stage and batch norms fixed, a tenth of the
# learning rate for the backbone.
#
# Another file: --cfg-options model.img_backbone.init_cfg.checkpoint=FILE model.img_neck.init_cfg.checkpoint=FILE
cpu_camera_weights = 'checkpoints/synthetic_camera.pth'
cpu_pretrained = dict(
    img_backbone=dict(
        frozen_stages=1,
        norm_cfg=dict(requires_grad=False),
        norm_eval=True,
        init_cfg=dict(_delete_=True, type='Pretrained', checkpoint=cpu_camera_weights, prefix='img_backbone.'),
    ),
    img_neck=dict(init_cfg=dict(_delete_=True, type='Pretrained', checkpoint=cpu_camera_weights, prefix='img_neck.')),
)
cpu_pretrained_optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(img_backbone=dict(lr_mult=0.1))))
