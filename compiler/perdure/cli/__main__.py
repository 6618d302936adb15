"""`python -m perdure.cli`: the command, where the script is not on the path."""

from perdure.__main__ import main

main()
