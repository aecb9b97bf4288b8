"""A headless Chromium, driven by its DevTools protocol: what a page shows, asks for and complains of."""

import asyncio
import base64
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp

FLAGS = (
    "--headless",
    "--no-sandbox",  # it refuses to have one where tests run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
"""Without those against background networking it looks up hosts of its maker at every start."""
START_S = 60.0
ANSWER_S = 30.0


def program() -> str | None:
    """Where Chromium is; None where it is not installed."""
    return shutil.which("chromium")


class Page:
    """One page; what it wrote to the console and asked for is kept."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loaded = asyncio.Event()
        self.requests: list[str] = []
        """URLs, `data:` left out."""
        self.complaints: list[str] = []
        """Errors and warnings of the console, exceptions, refusals by the Content-Security-Policy."""

    async def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol."""
        self._number += 1
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        return await asyncio.wait_for(answer, ANSWER_S)

    async def listen(self) -> None:
        """Receive until the end."""
        async for message in self._socket:
            told = message.json()
            if "id" in told:
                answer = self._answers.pop(told["id"])
                if not answer.done():
                    answer.set_result(told.get("result", told))
            elif told["method"] == "Page.loadEventFired":
                self._loaded.set()
            else:
                self._keep(told["method"], told.get("params", {}))

    def _keep(self, method: str, told: dict[str, Any]) -> None:
        match method:
            case "Network.requestWillBeSent" if not told["request"]["url"].startswith("data:"):
                self.requests.append(told["request"]["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(told["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if told["type"] in {"error", "warning", "assert"}:
                self.complaints.append(str(told["args"]))
            case "Log.entryAdded" if told["entry"]["level"] in {"error", "warning"}:
                self.complaints.append(told["entry"]["text"])

    async def open(self, url: str) -> None:
        """Load a page, and forget what was kept of another."""
        self.requests.clear()
        self.complaints.clear()
        self._loaded.clear()
        await self.send("Page.navigate", url=url)
        await asyncio.wait_for(self._loaded.wait(), ANSWER_S)

    async def run(self, script: str) -> Any:
        """The value of a JavaScript expression; it may be a promise."""
        found = await self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def until(self, script: str, fact: Callable[[Any], bool] = bool) -> Any:
        """The value of an expression as soon as it is right."""
        async with asyncio.timeout(ANSWER_S):
            while not fact(value := await self.run(script)):
                await asyncio.sleep(0.1)
        return value

    async def look(self, width: int, colours: str = "light", height: int = 900) -> None:
        """Be a window of that width, of somebody who prefers light or dark colours; below 600 a phone."""
        await self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        await self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": colours}])

    async def picture(self, height: int | None = None) -> bytes:
        """The page as a PNG, all of it or its upper part."""
        size = (await self.send("Page.getLayoutMetrics"))["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": height or size["height"], "scale": 1}
        found = await self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        return base64.b64decode(found["data"])


@contextlib.asynccontextmanager
async def page(*flags: str) -> AsyncIterator[Page]:
    """An empty page of a browser of its own."""
    with tempfile.TemporaryDirectory(prefix="indexer-browser-", ignore_cleanup_errors=True) as folder:
        process = await asyncio.create_subprocess_exec(
            program() or "chromium", f"--user-data-dir={folder}", *FLAGS, *flags, "about:blank",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        try:
            async with aiohttp.ClientSession() as session:
                target = await _target(session, Path(folder))
                async with session.ws_connect(target, max_msg_size=0) as socket:
                    found = Page(socket)
                    listening = asyncio.create_task(found.listen())
                    for domain in ("Page", "Runtime", "Network", "Log"):
                        await found.send(f"{domain}.enable")
                    yield found
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(found.send("Browser.close"), 5)
                    listening.cancel()
                    await asyncio.gather(listening, return_exceptions=True)
        finally:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 5)
            if process.returncode is None:
                process.kill()
                await process.wait()


async def _target(session: aiohttp.ClientSession, folder: Path) -> str:
    """The address at which the only page listens."""
    named = folder / "DevToolsActivePort"
    async with asyncio.timeout(START_S):
        while True:
            with contextlib.suppress(OSError, IndexError, aiohttp.ClientError, StopIteration):
                port = named.read_text(encoding="utf-8").split()[0]
                async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                    targets = await answer.json()
                    return str(next(one["webSocketDebuggerUrl"] for one in targets if one["type"] == "page"))
            await asyncio.sleep(0.1)
