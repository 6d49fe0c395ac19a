"""The installed command ``bevdistill``: a module per verb, none of which imports anything heavy before it runs."""
