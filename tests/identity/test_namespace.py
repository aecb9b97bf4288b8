"""The look-ups in a network namespace: the real name server configuration, real addresses, real ports."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = ("unshare", "ip", "mount")


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or not all(map(shutil.which, NEEDED)),
    reason="needs Linux, root, and the packages iproute2, util-linux and mount",
)
def test_no_connection_reaches_a_private_address(tmp_path: Path) -> None:
    done = subprocess.run(
        ["unshare", "--net", "--mount", sys.executable, "-m", "tests.identity.namespace", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["handle"] == "good.example", "an honest handle is found"
    assert seen["look_ups"] > 150
    assert seen["visits"] == 0
    assert seen["when_allowed"] > 100, "the canaries do count"
