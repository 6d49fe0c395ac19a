# CPU-sized config of the ablation: teacher boxes weighted by score and IoU alike (gamma 0.5), the row of the paper.
#
# Command   python tools/train.py configs/synthetic/ablations/quality-score-iou.py --cfg-options model.teacher_checkpoint=FILE
# Hardware  2 CPU cores.
# Result    Not measured here yet.
# Note      Equal to bevdistill/bevdistill_r50_1x_nus-3d.py, spelled out.
_base_ = '../bevdistill/bevdistill_r50_1x_nus-3d.py'

model = dict(losses=dict(sparse=dict(quality=dict(_delete_=True, type='ScoreIoUQuality', gamma=0.5))))
