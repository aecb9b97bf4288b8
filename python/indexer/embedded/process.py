"""A private folder, and child processes in it that do not outlive this one."""

import contextlib
import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from indexer.errors import ConfigError, UnavailableError

PREFIX = "indexer-"
OWNER = "owner"
LONGEST_FOLDER = 70  # bytes; a socket's whole name may have 103 (macOS) or 107 (Linux), ours adds 33
START_TIMEOUT_S = 60.0  # initdb and crash recovery take seconds on a busy disk
GUARD = str(Path(__file__).with_name("guard.py"))


class Folder:
    """A folder that only this user can enter, locked while it or one of its servers lives.

    The lock is inherited by the servers: when it can be had, whoever made the folder is gone and so are they.
    """

    def __init__(self) -> None:
        base = tempfile.gettempdir()
        self.path = Path(
            tempfile.mkdtemp(prefix=PREFIX, dir=base if len(os.fsencode(base)) <= LONGEST_FOLDER else "/tmp")
        )
        # Locked under another name first: nobody ever sees an owner file without its lock.
        self.lock = os.open(self.path / "owner.new", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        (self.path / "owner.new").rename(self.path / OWNER)

    def remove(self) -> None:
        """Remove everything in it; the servers must have been stopped."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self.lock)


def remove_stale_folders() -> None:
    """Remove what starters left that were killed before they could: folders of this user whose lock is free."""
    for base in {tempfile.gettempdir(), "/tmp"}:
        for owner in Path(base).glob(f"{PREFIX}*/{OWNER}"):
            with contextlib.suppress(OSError):
                lock = os.open(owner, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if os.fstat(lock).st_uid == os.geteuid():
                        shutil.rmtree(owner.parent, ignore_errors=True)
                finally:
                    os.close(lock)


class Child:
    """A process that gets `death_signal` when this one ends, however it ends."""

    def __init__(
        self,
        command: Sequence[str | Path],
        folder: Folder,
        way: str,
        death_signal: signal.Signals,
        environment: Mapping[str, str] | None = None,
        name: str | None = None,
    ) -> None:
        """`environment` adds to that of this process; `name` is that of the log, where several share a folder."""
        self.name = name or Path(command[0]).name
        self.log = folder.path / f"{self.name}.log"
        # The kernel's signal comes when the *thread* that started the process ends: only the main one may ask for it.
        by_kernel = sys.platform == "linux" and threading.current_thread() is threading.main_thread()
        watched, self._held = (-1, -1) if by_kernel else os.pipe()
        guard = [sys.executable, "-I", "-S", GUARD, os.getpid(), int(death_signal), way, watched, folder.path, *command]
        try:
            with self.log.open("ab") as log:
                self.process = subprocess.Popen(
                    [str(part) for part in guard],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    # libpq's variables would reach initdb and the server.
                    env={name: text for name, text in os.environ.items() if not name.startswith("PG")}
                    | dict(environment or {}),
                    pass_fds=(folder.lock,) if by_kernel else (folder.lock, watched),
                    start_new_session=True,  # Ctrl-C is for the starter: it stops the servers itself, in its order
                )
        finally:
            if not by_kernel:
                os.close(watched)

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Return when `ready()`; UnavailableError with its last lines when it ends before that or takes too long."""
        limit = time.monotonic() + START_TIMEOUT_S
        with self._stopped_on_failure():
            while not ready():
                if self.process.poll() is not None:
                    raise self._failure(f"it ended with status {self.process.returncode}")
                if time.monotonic() > limit:
                    raise self._failure(f"it was not ready after {START_TIMEOUT_S:.0f} s")
                time.sleep(0.005)

    def finish(self) -> int:
        """Wait for the end of a program that ends by itself; its exit status. UnavailableError if it takes too long."""
        with self._stopped_on_failure():
            try:
                status = self.process.wait(START_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                raise self._failure(f"it was not done after {START_TIMEOUT_S:.0f} s") from None
        self._release()
        return status

    def stop(self, signals: Sequence[signal.Signals]) -> None:
        """Send the signals one after the other, ten seconds apart, until it has ended."""
        for number in signals:
            if self.process.poll() is None:
                self.process.send_signal(number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(10)
        self._release()

    def tail(self) -> str:
        """The end of what it wrote, on one line."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return " / ".join(text.strip().splitlines()[-5:]) or "none"

    @contextlib.contextmanager
    def _stopped_on_failure(self) -> Iterator[None]:
        """Whatever ends the wait, Ctrl-C included, ends the process too: nobody else knows of it yet."""
        try:
            yield
        except BaseException:
            self.stop((signal.SIGKILL,))
            raise

    def _failure(self, how: str) -> UnavailableError:
        return UnavailableError(
            f"{self.name} did not start",
            f"{how}; its last lines: {self.tail()}",
            "free memory and disk space, or use a server of your own",
        )

    def _release(self) -> None:
        if self._held >= 0:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._held, b".")  # tells the watcher that there is nobody left to signal
            os.close(self._held)
            self._held = -1


def way_and_programs(programs: Path, folder: Folder) -> tuple[str, Path]:
    """How to run PostgreSQL, which refuses to be root: a way of `guard.py`, and the folder of its programs.

    As another user than root: as that user. As root: as `nobody` where that user can reach the programs, else in a
    user namespace, else as `nobody` with a copy of the programs in `folder`. The folder is given to whom it needs.
    """
    if os.geteuid() != 0:
        return "same", programs
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise _no_way("there is no user `nobody` to become") from None
    tries: list[Callable[[], tuple[str, Path]]] = [
        lambda: ("nobody", programs),
        lambda: ("namespace", programs),
        lambda: ("nobody", _copied(programs, folder)),
    ]
    for prepare in tries:
        way, where = prepare()
        owner = (nobody.pw_uid, nobody.pw_gid) if way == "nobody" else (0, 0)
        os.chown(folder.path, *owner)
        probes = [Child([where / name, "--version"], folder, way, signal.SIGKILL) for name in ("postgres", "initdb")]
        if [probe.finish() for probe in probes] == [0, 0]:
            return way, where
    raise _no_way(probes[0].tail())


def _no_way(cause: str) -> ConfigError:
    return ConfigError(
        "PostgreSQL cannot be started by root",
        f"it refuses to run as root, and no other way is open here: {cause}",
        "run this as another user, or use a server of your own",
    )


def _copied(programs: Path, folder: Folder) -> Path:
    """A copy of the installation that `programs` is part of, where that is a folder of its own, such as a wheel's.

    A wheel has the libraries that came with it in `<package>.libs` beside the package, and finds them by that place.
    """
    whole, package = programs.parent, programs.parent.parent
    if whole == Path("/usr") or not all((whole / part).is_dir() for part in ("share", "lib")):
        return programs
    copy = folder.path / "copy"
    for source in (whole, package.with_name(f"{package.name}.libs")):
        if source.is_dir():
            shutil.copytree(source, copy / source.relative_to(package.parent), symlinks=True)
    for part in (copy, *copy.rglob("*")):
        if not part.is_symlink():
            part.chmod(0o755)
    return copy / programs.relative_to(package.parent)


@contextlib.contextmanager
def private_folder() -> Iterator[Folder]:
    """A folder for the time of the block; it and those that killed starters left are removed."""
    remove_stale_folders()
    folder = Folder()
    try:
        yield folder
    finally:
        folder.remove()
