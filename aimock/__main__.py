"""`python -m aimock`."""

import sys

from aimock.cli import main

if __name__ == "__main__":
    sys.exit(main())
