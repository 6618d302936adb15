"""`python -m perdure.cli`: the command, where the script is not on the path."""

from perdure.cli.main import main

main()
