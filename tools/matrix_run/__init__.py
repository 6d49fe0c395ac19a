"""What tools/run_matrix.py is made of: matrix file, jobs, identities, records, locks, programs, schedule."""
