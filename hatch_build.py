"""The step of the installation that compiles leadq's own C."""

from __future__ import annotations

import sys
import sysconfig
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface[Any]):
    """Compiles it in place and takes it into the wheel, which then fits one platform."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile; hatchling calls this before it packs."""
        sys.path.insert(0, self.root)
        try:
            from serving.build_kernel import ALL
        finally:
            sys.path.remove(self.root)
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        # It asks nothing of Python, so one wheel serves each of its versions.
        build_data["tag"] = f"py3-none-{platform}"
        for one in ALL:
            library = one.build()
            build_data["force_include"][str(library)] = str(library.relative_to(self.root))
