"""Have the environment that every make target runs in; standard library only, since it runs before the rest."""
