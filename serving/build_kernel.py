"""Compile leadq's own C beside its sources: the installation does, and `make kernel`.

python -m serving.build_kernel
"""

from __future__ import annotations

import sys
from pathlib import Path

from features.compiled import TEXTS, Compiled

_HERE = Path(__file__).parent
KERNEL = Compiled(_HERE / "kernel.c", (_HERE / "contributions.c", _HERE / "trees.c"))
"""The sums of a model (`serving.kernel`)."""
ALL = (TEXTS, KERNEL)


if __name__ == "__main__":
    try:
        for one in ALL:
            one.build()
    except (OSError, RuntimeError) as error:
        sys.exit(str(error))
