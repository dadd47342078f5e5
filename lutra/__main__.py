"""`python -m lutra`."""

from lutra.cli import main

main()
