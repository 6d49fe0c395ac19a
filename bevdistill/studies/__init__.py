"""Studies: many trainings over seeds, run on Snakemake, compared in one table."""
