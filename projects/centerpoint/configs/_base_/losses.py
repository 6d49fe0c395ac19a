# What a teacher without queries can teach: its BEV map under a soft foreground mask, as in BEVDistill, through an adapter
# to its 512 channels.
centerpoint_losses = dict(
    dense=dict(
        type='DenseBEVLoss',
        tap='bev',
        mask=dict(type='SoftForeground', sigma=2.0),
        channels='sum',
        normaliser='cells',
        adapter=dict(type='ConvAdapter', student_channels=256, teacher_channels=512),
        weight=0.01,
    ),
)
# Its class heatmap, for a student that has one.
centerpoint_heatmap = dict(type='HeatmapDistillLoss', mask=dict(type='SoftForeground'), weight=1.0)
