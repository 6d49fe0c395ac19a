# nuScenes for a student with history, six cameras.
_base_ = ['nus-3d_temporal.py']

input_modality = dict(use_camera=True, use_lidar=False)
train_dataloader = dict(dataset=dict(dataset=dict(modality=input_modality)))
val_dataloader = dict(dataset=dict(modality=input_modality))
test_dataloader = val_dataloader
