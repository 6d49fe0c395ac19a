# What the three candidates change in BEVDistill's losses; the others keep their weights.
#
# The encoder of labels learns a map in units of the teacher's spread, so that its weight is in those units too.
teachable_labels = dict(
    type='LabelPartLoss',
    num_classes=10,
    teacher_channels=256,
    hidden=256,
    teacher_scale=dict(type='TeacherScale', mode='global'),
)
teachable_spread = dict(type='SpreadDenseLoss', student_channels=256, teacher_channels=256)
# It needs an auxiliary heatmap on both sides, in training alone.
teachable_rays = dict(type='RayHeatmapLoss', rays=360, step=0.5, weight=2.0)
