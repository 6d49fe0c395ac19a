# FitNet: 0.01 x the squared error of a cell, summed over channels, averaged over all cells of the map, no mask.
fitnet_losses = dict(
    hint=dict(
        type='DenseBEVLoss',
        tap='bev',
        mask=dict(type='AllCells'),
        channels='sum',
        normaliser='cells',
        weight=0.01,
    ),
)
