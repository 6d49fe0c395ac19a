"""Entry points for other programs: facts about a config, FLOPs."""
