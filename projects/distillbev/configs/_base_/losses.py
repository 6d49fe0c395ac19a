# DistillBEV: foreground and background apart, under the teacher's spatial attention, and the maps' magnitudes.
distillbev_losses = dict(
    regions=dict(
        type='DistillBEVLoss',
        foreground_weight=5e-3,
        background_weight=4e-3,
        attention_weight=5e-4,
        temperature=0.5,
    ),
)
