# DistillBEV as its release has it for BEVFormer: foreground and background apart, under the teacher's spatial attention, and
# the means over channels; the student's map through a learned 1 x 1 convolution. Weights of the release's script.
distillbev_losses = dict(
    regions=dict(
        type='DistillBEVLoss',
        foreground_weight=5e-3,
        background_weight=4e-3,
        attention_weight=5e-4,
        temperature=0.5,
        adapter=dict(type='ConvAdapter', student_channels=256, teacher_channels=256),
    ),
)
