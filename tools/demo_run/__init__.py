"""Parts of tools/demo.py: what to run, how to run it, what to show meanwhile, and the table at the end."""
