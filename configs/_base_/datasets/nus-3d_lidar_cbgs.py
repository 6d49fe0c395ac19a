# nuScenes, LiDAR, with class-balanced grouping and sampling (CBGS, arXiv 1908.09492): samples are drawn once for each
# class that they show, so that every class is seen as often.
_base_ = ['nus-3d_lidar.py']

train_dataloader = dict(
    dataset=dict(
        dataset=dict(_delete_=True, type='CBGSDataset', dataset=_base_.train_dataloader.dataset.dataset)))

# Object-DGCNN's augmentation, for a config's pipeline: points, boxes and velocities are turned by up to 22.5 degrees,
# scaled by up to 5 %, and mirrored along x, along y, both or not at all.
bev_augmentation = dict(
    points_turn=dict(
        _delete_=True,
        type='GlobalRotScaleTrans',
        rot_range=[-0.3925, 0.3925],
        scale_ratio_range=[0.95, 1.05],
        translation_std=[0, 0, 0]),
    points_flip=dict(
        _delete_=True,
        type='RandomFlip3D',
        sync_2d=False,
        flip_ratio_bev_horizontal=0.5,
        flip_ratio_bev_vertical=0.5))
