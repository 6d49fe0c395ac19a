# PKD: 10 x (1 - Pearson's correlation of each channel), whole BEV maps, no mask.
pkd_losses = dict(
    pattern=dict(type='PearsonBEVLoss', tap='bev', weight=10.0),
)
