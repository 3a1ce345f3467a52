"""`python -m ringdown` is the command line."""

from ringdown.cli.app import main

if __name__ == "__main__":
    main()
