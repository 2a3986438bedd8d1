"""The gateway under test: a running sandbox (`TSUNAGI_SANDBOX`), or a fresh one made and served by the binary `TSUNAGI_BIN`.

Without either the story fails; it is never skipped.
"""

import contextlib
import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import httpx
import pytest

from story import World
from tsunagi_client import Identity


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_ready(sandbox: Path, server: subprocess.Popen, log: Path) -> None:
    identity = Identity.load(next(p.parent for p in sorted(sandbox.glob("parties/municipality-*/identity.toml"))))
    deadline = time.monotonic() + 60
    with httpx.Client(base_url=identity.gateway, verify=identity.tls(), trust_env=False, timeout=5) as http:
        while time.monotonic() < deadline:
            if server.poll() is not None:
                pytest.exit(f"the gateway ended with {server.returncode}:\n{log.read_text()[-4000:]}", returncode=3)
            try:
                if http.get("/.well-known/tsunagi").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
    pytest.exit(f"the gateway was not ready within 60 s:\n{log.read_text()[-4000:]}", returncode=3)


@contextlib.contextmanager
def served(binary: str, scratch: Path, configuration: str = ""):
    """A fresh sandbox in `scratch/sandbox`, served with more lines of configuration and logged to `scratch/serve.log`."""
    folder, log = scratch / "sandbox", scratch / "serve.log"
    made = subprocess.run(
        [binary, "init", str(folder), "--port", str(_free_port())], stdin=subprocess.DEVNULL, capture_output=True, timeout=120
    )
    if made.returncode != 0:
        pytest.exit(f"tsunagi init ended with {made.returncode}:\n{made.stdout.decode()}{made.stderr.decode()}", returncode=3)
    with (folder / "tsunagi.toml").open("a") as toml:
        toml.write(configuration)
    with log.open("wb") as out:
        server = subprocess.Popen(
            [binary, "serve", "-c", str(folder / "tsunagi.toml")], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_ready(folder, server, log)
        yield folder
    finally:
        server.terminate()
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(timeout=20)


@pytest.fixture(scope="session")
def sandbox():
    running = os.environ.get("TSUNAGI_SANDBOX")
    if running:
        yield Path(running)
        return
    binary = os.environ.get("TSUNAGI_BIN")
    if not binary:
        pytest.fail("no gateway to test: set TSUNAGI_BIN to the binary, or TSUNAGI_SANDBOX to a sandbox that is being served")
    with tempfile.TemporaryDirectory(prefix="tsunagi-story-") as scratch, served(binary, Path(scratch)) as folder:
        yield folder


@pytest.fixture(scope="session")
def world(sandbox) -> World:
    return World(sandbox)
