"""Becomes a server that dies with the process that started it.

    python -I -S guard.py PARENT SIGNAL WAY FD FOLDER COMMAND...

A program of its own, not a function between fork and exec: what happens there must not meet the threads of the parent.
It imports nothing of the package, because the user it becomes may not be able to read that.

PARENT is the pid of the starter, SIGNAL what the server gets when the starter ends. WAY is `same` (the starter's
user), `nobody` (give up root) or `namespace` (look like nobody, stay root outside; user_namespaces(7)). FD is the end
of a pipe that the starter holds open, or -1: then the kernel sends SIGNAL (PR_SET_PDEATHSIG of prctl(2), Linux).
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
CANNOT_START = 126  # as a shell says it of a command that it found but could not run


def main(arguments: list[str]) -> None:
    """Replace this process by COMMAND; OSError or KeyError where WAY is closed."""
    parent, signal, way, pipe, folder, *command = arguments
    if int(pipe) >= 0:
        # Before root is given up: the watcher must be allowed to signal.
        leave_watcher(int(pipe), int(signal))
    if way == "nobody":
        become_nobody()
    elif way == "namespace":
        enter_namespace()
    if int(pipe) < 0:
        # After the change of user, which clears it.
        call("prctl", PR_SET_PDEATHSIG, int(signal), 0, 0, 0)
    if os.getppid() != int(parent):
        raise OSError("the starter has ended")
    os.chdir(folder)
    os.execv(command[0], command)


def become_nobody() -> None:
    """Give up root for good."""
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)


def enter_namespace() -> None:
    """Look like `nobody` to this process and its children, keep the rights of root on root's files."""
    nobody = pwd.getpwnam("nobody")
    user, group = os.geteuid(), os.getegid()
    call("unshare", CLONE_NEWUSER)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{nobody.pw_uid} {user} 1"),
        ("gid_map", f"{nobody.pw_gid} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123 (pathlib imports for 10 ms)
            file.write(text)


def leave_watcher(pipe: int, signal: int) -> None:
    """Leave a process behind that signals this one when the pipe's other end closes without a word."""
    server = os.getpid()
    if child := os.fork():
        os.waitpid(child, 0)
        return
    if os.fork() == 0:  # twice: no server wants a child it does not know
        os.setsid()
        if not os.read(pipe, 1):
            os.kill(server, signal)
    os._exit(0)


def call(name: str, *arguments: int) -> None:
    """A function of the C library that returns 0; OSError otherwise."""
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (OSError, KeyError) as fault:
        sys.stderr.write(f"cannot start {sys.argv[6]} as {sys.argv[3]}: {fault}\n")
        sys.exit(CANNOT_START)
