"""`python -m interlingua`."""

from interlingua.cli import main

main()
