"""So that ``python -m caes.cli`` works where the command is not on the path."""

import sys

from caes.cli import main

sys.exit(main())
