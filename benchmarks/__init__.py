"""leadq beside what one would use otherwise; run each module as a file or with `python -m`."""

import sys
from pathlib import Path

# A file that is run has its folder before all others, where `serving.py` would hide the package.
_HERE = Path(__file__).parent
sys.path[:] = [entry for entry in sys.path if not entry or Path(entry).resolve() != _HERE]
