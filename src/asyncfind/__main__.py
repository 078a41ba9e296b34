"""`python -m asyncfind`."""

from asyncfind.cli import main

if __name__ == "__main__":
    main()
