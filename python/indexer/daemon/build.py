"""What was built, from what and for what: the lines of `indexer --version`."""

import platform

from indexer import _native


def facts() -> dict[str, str]:
    """Name and value, in the order in which they are shown. What the build was not told is `unknown`."""
    return {
        "commit": _native.COMMIT,
        "build": "debug, not for work" if _native.DEBUG_BUILD else "optimized",
        "target": _native.TARGET,
        "rust": _native.RUST,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def text() -> str:
    """The version as the first line, which stays as it is; a line for each fact below, of which there may be more."""
    lines = [f"indexer {_native.VERSION}", *(f"{name}: {value}" for name, value in facts().items())]
    return "".join(f"{line}\n" for line in lines)
