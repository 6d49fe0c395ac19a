# UVTR: 0.01 x the partial squared error of BEV features at the predicted centres, summed over channels and decoder layers.
uvtr_losses = dict(centres=dict(type='SampledPartialL2', weight=0.01))
