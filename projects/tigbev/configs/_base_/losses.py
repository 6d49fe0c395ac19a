# TiG-BEV's inner-geometry terms as released: 24 x 24 places of each box and 1.6 m around it; the channel term reads the
# student's features through a learned linear embedding. The release's temporal ResNet-50 has channel_weight=20.
tigbev_losses = dict(
    geometry=dict(
        type='InnerGeometryLoss',
        keypoint_weight=100.0,
        channel_weight=10.0,
        samples=24,
        margin=1.6,
        embedding=dict(type='LinearAdapter', student_channels=256, teacher_channels=256),
    ),
)
