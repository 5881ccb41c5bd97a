"""Our own C, compiled beside its source by the installation, or by `serving.build_kernel`.

Only the standard library is used, so that the installation can run it before anything else is
there. The hash of the source is compiled in and compared when a library is loaded: an old library
is an error, never another number.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

# No fused multiply-add: the same numbers on every processor.
FLAGS = ("-std=c11", "-O3", "-ffp-contract=off", "-fPIC", "-shared", "-Wall", "-Wno-psabi")
COMPILER = (
    "install a C compiler (Debian: apt-get install gcc libc6-dev), name one in CC, "
    "or: pip install ziglang"
)
CURE = "compile it with: make kernel, or python -m serving.build_kernel"


@dataclass(frozen=True)
class Compiled:
    """A C file and the library that is made of it."""

    source: Path
    included: tuple[Path, ...] = ()
    """What it includes, beside it."""

    @property
    def library(self) -> Path:
        """Where the library lies."""
        return self.source.with_name(f"_{self.source.stem}.so")

    def source_hash(self) -> str:
        """Return the SHA-256 of the sources, which the library carries too."""
        sources = (self.source, *self.included)
        return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()

    def is_current(self) -> bool:
        """Return whether there is a library and it was compiled from this source."""
        return self.library.is_file() and self.source_hash().encode() in self.library.read_bytes()

    def build(self) -> Path:
        """Compile the library; it appears whole or not at all.

        Raises:
            FileNotFoundError: when there is no compiler.
            RuntimeError: when it fails.

        """
        command, target = compiler(), self.library
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".compiled-") as folder:
            made = Path(folder) / target.name
            named = f'-DSOURCE_HASH="{self.source_hash()}"'
            arguments = [*command, *FLAGS, named, "-o", str(made), str(self.source), "-lm"]
            done = subprocess.run(arguments, capture_output=True, text=True, check=False)  # noqa: S603
            if done.returncode:
                raise RuntimeError(
                    f"{shlex.join(command)} cannot compile {self.source}: {done.stderr.strip()}; "
                    f"{COMPILER}"
                )
            made.replace(target)
        return target

    def load(self) -> ctypes.CDLL:
        """Load the library.

        Raises:
            OSError: when it is not there, or was compiled from another source.

        """
        try:
            found = ctypes.CDLL(str(self.library))
        except OSError as error:
            raise OSError(
                f"leadq's {self.source.stem} cannot be loaded: {error}; {CURE}"
            ) from error
        found.source_hash.restype = ctypes.c_char_p
        if found.source_hash().decode() != self.source_hash():
            raise OSError(
                f"{self.library} was compiled from another {self.source.name} than this; {CURE}"
            )
        return found


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
    raise FileNotFoundError(f"leadq needs a C compiler and none was found: {COMPILER}")


_HERE = Path(__file__).parent
_PARTS = ("split.c", "numbers.c", "moments.c", "kinds.c", "rows.c")
TEXTS = Compiled(_HERE / "texts.c", tuple(_HERE / name for name in _PARTS))
"""What most texts of a column are (`features.texts`)."""
