"""`python -m wm_bringup.cli VERB ...`: the command line of wm."""

import sys

from wm_core.command_line import main

if __name__ == "__main__":
    sys.exit(main())
