"""`python -m gansampler.cli` is the command `gansampler`."""

import sys

from ._main import main

if __name__ == "__main__":
    sys.exit(main())
