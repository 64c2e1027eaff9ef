"""`python -m grantha` is the command line."""

from grantha.cli import main

if __name__ == "__main__":
    main()
