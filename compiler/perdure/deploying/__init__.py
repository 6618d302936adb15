"""What deploying to any cloud has in common: packages, clients of runs, differences of machines."""
