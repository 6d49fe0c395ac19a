# nuScenes for a student with history, cameras and LiDAR (nus-3d_temporal_camera.py loads the cameras alone).
#
# Training: queues of `queue_length` frames, the current one included, one of the last frames left out at random. Give
# the model the same number: model = dict(queue_length=_base_.queue_length, ...). Released weights were trained with
# queue_rule='release' and released_can_bus=True (train and val alike).
#
# Testing: each process gets whole scenes in order and no batch holds two of them, so that history is never cut and
# the batches, hence the scores, are the same for any number of processes.
_base_ = ['nus-3d.py']

queue_length = 4
train_dataloader = dict(
    dataset=dict(dataset=dict(queue_length=queue_length, queue_rule='random_drop', released_can_bus=False)))
val_dataloader = dict(
    batch_sampler=dict(type='SceneBatchSampler'),
    dataset=dict(released_can_bus=False))
test_dataloader = val_dataloader
