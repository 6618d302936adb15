"""The ARM templates of what is deployed: one for an environment, one for each flow in it."""
