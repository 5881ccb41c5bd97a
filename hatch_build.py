"""The step of the installation that compiles serving's kernel."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface[Any]):
    """Compiles the kernel in place and takes it into the wheel, which then fits one platform."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile; hatchling calls this before it packs."""
        sys.path.insert(0, self.root)
        try:
            from serving.build_kernel import build
        finally:
            sys.path.remove(self.root)
        library = build()
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        # The kernel asks nothing of Python, so one wheel serves each of its versions.
        build_data["tag"] = f"py3-none-{platform}"
        build_data["force_include"][str(library)] = str(Path("serving", library.name))
