"""Run the command line: python -m tmc."""

import sys

from tmc.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
