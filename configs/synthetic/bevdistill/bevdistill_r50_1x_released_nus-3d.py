# CPU-sized config of the student distilled as the authors' release does it, for the synthetic nuScenes.
#
# Command   python tools/train.py configs/synthetic/bevdistill/bevdistill_r50_1x_released_nus-3d.py \
#               --cfg-options model.teacher_checkpoint=FILE
# Hardware  2 CPU cores.
# Result    Not measured here yet.
# Note      64 channels in place of 256, summed over, hence four times the dense weight. The weights were not tuned.
_base_ = ['./bevdistill_r50_1x_nus-3d.py', '../../_base_/losses/bevdistill_released.py']

critic = {**_base_.released_critic, 'in_channels': 64, 'channels': 128}
model = dict(
    losses=dict(
        _delete_=True,
        dense={**_base_.released_losses.dense, 'weight': 0.04},
        box=_base_.released_losses.box,
        contrast={**_base_.released_losses.contrast, 'student_critic': critic, 'teacher_critic': critic},
    )
)
