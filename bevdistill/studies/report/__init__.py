"""One page about some runs: what differs between them, their curves, scores and pictures."""
