"""``python -m pipelines`` is ``wattloom``."""

import sys

from pipelines.cli import main

sys.exit(main())
