"""`python -m flows.cli`: the command line."""

from flows.cli.app import main

main()
