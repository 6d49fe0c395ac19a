# nuScenes, LiDAR.
_base_ = ['nus-3d.py']

input_modality = dict(use_camera=False, use_lidar=True)
train_dataloader = dict(dataset=dict(dataset=dict(modality=input_modality)))
val_dataloader = dict(dataset=dict(modality=input_modality))
test_dataloader = val_dataloader
