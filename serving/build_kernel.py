"""Compile `kernel.c` beside itself: the installation does, and `python -m serving.build_kernel`.

Only the standard library is used, so that the installation can run it before anything else is
there.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

SOURCE = Path(__file__).with_name("kernel.c")
LIBRARY = Path(__file__).with_name("_kernel.so")
# No fused multiply-add: the same numbers on every processor.
FLAGS = ("-std=c11", "-O3", "-ffp-contract=off", "-fPIC", "-shared", "-Wall", "-Wno-psabi")
CURE = (
    "install a C compiler (Debian: apt-get install gcc libc6-dev), name one in CC, "
    "or: pip install ziglang"
)


def source_hash() -> str:
    """Return the SHA-256 of the source, which the library carries too."""
    return hashlib.sha256(SOURCE.read_bytes()).hexdigest()


def is_current() -> bool:
    """Return whether there is a library and it was compiled from this source."""
    return LIBRARY.is_file() and source_hash().encode() in LIBRARY.read_bytes()


def compiler() -> list[str]:
    """Return the command of a C compiler.

    Raises:
        FileNotFoundError: when there is none.

    """
    named = shlex.split(os.environ.get("CC", ""))
    for command in (named, ["cc"], ["gcc"], ["clang"]):
        if command and shutil.which(command[0]):
            return command
    if find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]
    raise FileNotFoundError(f"leadq's kernel needs a C compiler and none was found: {CURE}")


def build() -> Path:
    """Compile the library; it appears whole or not at all.

    Raises:
        FileNotFoundError: when there is no compiler.
        RuntimeError: when it fails.

    """
    command = compiler()
    with tempfile.TemporaryDirectory(dir=LIBRARY.parent, prefix=".kernel-") as folder:
        made = Path(folder) / LIBRARY.name
        named = f'-DKERNEL_SOURCE="{source_hash()}"'
        arguments = [*command, *FLAGS, named, "-o", str(made), str(SOURCE)]
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise RuntimeError(
                f"{shlex.join(command)} cannot compile {SOURCE}: {done.stderr.strip()}; {CURE}"
            )
        made.replace(LIBRARY)
    return LIBRARY


if __name__ == "__main__":
    try:
        build()
    except (OSError, RuntimeError) as error:
        sys.exit(str(error))
