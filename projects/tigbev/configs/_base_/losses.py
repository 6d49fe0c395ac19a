# TiG-BEV's inner-geometry terms: 24 x 24 places of each box, 1.6 times its size.
tigbev_losses = dict(
    geometry=dict(type='InnerGeometryLoss', keypoint_weight=100.0, channel_weight=20.0, samples=24, scale=1.6),
)
