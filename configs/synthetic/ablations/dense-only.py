# CPU-sized config of the ablation: dense imitation alone, without the instance loss.
#
# Command   python tools/train.py configs/synthetic/ablations/dense-only.py --cfg-options model.teacher_checkpoint=FILE
# Hardware  2 CPU cores.
# Result    Not measured here yet.
_base_ = '../bevdistill/bevdistill_r50_1x_nus-3d.py'

model = dict(losses=dict(_delete_=True, dense=_base_.model.losses.dense))
