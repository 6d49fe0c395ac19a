"""The installed command `bevdistill`: one module a verb."""
