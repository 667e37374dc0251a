"""What monitors are told, and what the process that tells them can do."""
import http.client
import json
import os
import platform
import re
import shutil
import socket
import struct
import subprocess
import time
import urllib.parse

import pytest

import control
import drop
import pop3
from server import TOP, free_port, kill, wait_until
from test_allowances import OTHERS, all_traced, names_of
from test_sandbox import (FILES, NEVER, inject, not_refused,  # noqa: F401
                          threads)

pytestmark = [pytest.mark.ours]

OPEN = "application/openmetrics-text; version=1.0.0"
traced = [
    pytest.mark.skipif(os.geteuid() != 0, reason="tracing needs root"),
    pytest.mark.skipif(platform.machine() != "x86_64",
                       reason="inject.c knows x86-64 only"),
    pytest.mark.skipif("asan" in os.environ.get("MALOTED", ""),
                       reason="sanitizers need more calls"),
]


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=20)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self.path)


class Site:
    def __init__(self, serve, box, more=""):
        self.port = free_port()
        self.server = serve(box, 'metrics = "127.0.0.1:%d"\n' % self.port
                            + more)

    def http(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def ask(self, accept="*/*", method="GET", path="/metrics"):
        connection = self.http()
        try:
            connection.request(method, path, headers={"Accept": accept})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    def text(self, accept="*/*"):
        status, _, text = self.ask(accept)
        assert status == 200
        return text

    def value(self, series):
        found = re.search(r"^%s ([0-9.]+)$" % re.escape(series), self.text(),
                          re.M)
        assert found, series
        return float(found.group(1))

    @property
    def pid(self):
        pid, = self.server.roles("metrics")
        return pid


@pytest.fixture
def site(serve, place):
    return Site(serve, place.maildir(drop.make(5, 3)))


def test_what_happens_is_told(site, login):
    with pop3.Pop3(site.server.port) as client:
        client.ok("USER user")
        client.err("PASS wrong")
    session = login(site.server)
    session.retr(1)
    session.top(2, 0)
    session.ok("DELE 1")
    assert site.value("malote_sessions_signed_in") == 1
    session.quit()
    wait_until(lambda: site.value("malote_sessions") == 0)
    for series, value in {
            "malote_connections_total": 2,
            'malote_sign_ins_total{mechanism="USER",outcome="good"}': 1,
            'malote_sign_ins_total{mechanism="USER",outcome="credentials"}':
                1,
            "malote_messages_retrieved_total": 1,
            "malote_messages_looked_into_total": 1,
            "malote_messages_removed_total": 1,
            "malote_sign_in_duration_seconds_count": 1,
            'malote_sign_in_duration_seconds_bucket{le="+Inf"}': 1,
            "malote_retr_first_octet_seconds_count": 1,
            'malote_processes{role="metrics"}': 1,
            'malote_process_deaths_total{role="worker"}': 0,
            "malote_maildrop_scans_total": 1,
            "malote_index_repairs_total": 0}.items():
        assert site.value(series) == value, series
    assert site.value("malote_sent_bytes_total") > 1000
    assert time.time() - 600 < site.value("malote_start_time_seconds") \
        <= time.time()


def test_what_is_mended_is_told(serve, place, login):
    box = place.maildir(drop.make(5, 3))
    site = Site(serve, box)
    login(site.server).quit()
    with open(box + "/malote.index", "r+b") as f:
        f.seek(100)
        f.write(b"\xff" * 40)
    os.utime(box + "/new")
    login(site.server).quit()
    assert site.value("malote_index_repairs_total") == 1


def test_a_death_is_told(site):
    kill(site.server.roles("worker")[0])
    wait_until(lambda: site.value(
        'malote_process_deaths_total{role="worker"}') == 1)
    wait_until(lambda: site.value('malote_processes{role="worker"}') == 2)


def test_forms(site):
    """By what the monitor asks for."""
    status, headers, text = site.ask(OPEN + ", text/plain;q=0.5")
    assert status == 200 and headers["Content-Type"].startswith(OPEN)
    assert text.endswith("\n# EOF\n")
    assert "# TYPE malote_connections counter" in text
    status, headers, text = site.ask()
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert "# TYPE malote_connections_total counter" in text
    assert site.ask(path="/")[0] == 404
    assert site.ask(method="POST")[0] == 405
    assert site.ask(method="HEAD")[2] == ""


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("promtool"), reason="needs promtool")
def test_by_the_book(site, login):
    login(site.server).quit()
    done = subprocess.run(["promtool", "check", "metrics"], text=True,
                          input=site.text(), capture_output=True, timeout=60,
                          check=False)
    assert done.returncode == 0 and not done.stdout + done.stderr, done


def test_at_a_path(serve, place):
    path = place.path + "/metrics"
    box = place.maildir(drop.make(5, 1))
    server = serve(box, 'metrics = "unix:%s"\n' % path)
    assert os.stat(path).st_mode & 0o777 == 0o600
    connection = Unix(path)
    connection.request("GET", "/metrics")
    assert b"malote_sessions 0" in connection.getresponse().read()
    connection.close()
    server.stop()
    assert not os.path.exists(path)


def test_a_restart_is_not_noticed(site, login):
    """Who is in our place answers, and tells of its own sessions."""
    old = login(site.server)
    assert site.value("malote_sessions_signed_in") == 1
    site.server.restart()
    for _ in range(20):
        assert site.value("malote_sessions_signed_in") == 0
    # The old one has none any more, and does not try to.
    assert not site.server.events("start")
    assert [e["status"] for e in site.server.events("ended")
            if e["role"] == "metrics"] == ["0"]
    old.quit()
    login(site.server).quit()
    assert site.value("malote_connections_total") == 1


def test_a_restart_keeps_its_path(serve, place):
    path = place.path + "/metrics"
    server = serve(place.maildir(drop.make(5, 3)), 'metrics = "unix:%s"\n' % path)
    server.restart()
    http = Unix(path)
    http.request("GET", "/metrics")
    assert http.getresponse().status == 200
    http.close()
    server.stop()
    assert not os.path.exists(path)


def queries():
    with open(TOP + "/packaging/grafana.json", encoding="utf-8") as f:
        return [target["expr"].replace("$__rate_interval", "10s")
                for panel in json.load(f)["panels"]
                for target in panel["targets"]]


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("prometheus"), reason="needs prometheus")
def test_the_dashboard(site, login, tmp_path):
    """Debian's prometheus reads what is told, and each query of the dashboard
    has a value."""
    (tmp_path / "conf").write_text(
        "scrape_configs:\n- job_name: malote\n  scrape_interval: 1s\n"
        "  static_configs:\n  - targets: ['127.0.0.1:%d']\n" % site.port)
    port = free_port()
    prometheus = subprocess.Popen(
        ["prometheus", "--config.file=%s/conf" % tmp_path,
         "--storage.tsdb.path=%s/data" % tmp_path,
         "--web.listen-address=127.0.0.1:%d" % port],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def value(query):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request("GET", "/api/v1/query?" + urllib.parse.
                               urlencode({"query": query}))
            told = connection.getresponse()
            if told.status == 503:
                return []
            answer = json.load(told)
        except OSError:
            return []
        finally:
            connection.close()
        assert answer.get("status") == "success", (query, answer)
        return [row["value"][1] for row in answer["data"]["result"]]

    try:
        wait_until(lambda: value("up") == ["1"], 60)
        missing = set(queries())
        assert len(missing) > 15

        def all_there():
            session = login(site.server)
            session.retr(1)
            session.quit()
            missing.difference_update(
                [q for q in missing
                 if any(v != "NaN" for v in value(q))])
            return not missing
        wait_until(all_there, 60, 1)
    except AssertionError as e:
        raise AssertionError(missing) from e
    finally:
        prometheus.terminate()
        prometheus.wait(30)


# ---- who asks too much ----

@pytest.mark.slow
def test_strangers_hold_up_nobody(site, connect):
    """Not by silence, nor by what is no HTTP, nor by much of it."""
    for words in (b"\0" * 100, b"GET " + b"x" * 100000, b"\r\n" * 5000,
                  b"GET /metrics HTTP/1.1\r\n" + b"A: b\r\n" * 10000):
        with socket.create_connection(("127.0.0.1", site.port), 20) as s:
            s.settimeout(20)
            try:
                s.sendall(words)
                s.shutdown(socket.SHUT_WR)
                while s.recv(65536):
                    pass
            except OSError:
                pass
    silent = [socket.create_connection(("127.0.0.1", site.port), 20)
              for _ in range(40)]
    try:
        # They are closed after some seconds, and the next ones are served.
        wait_until(lambda: "malote_sessions" in site.text(), 40)
        assert site.server.ctl("status")
    finally:
        for s in silent:
            s.close()
    assert not site.server.events("ended")


@pytest.mark.parametrize("at", ["9110", "192.0.2.1:9110", "0.0.0.0:9110",
                                "[::]:9110", "localhost:9110", "unix:rel",
                                "127.0.0.1:0", "127.0.0.1:99999", "::1:1"])
def test_for_this_machine_alone(tmp_path, at):
    from server import TOP as top
    (tmp_path / "conf").write_text('metrics = "%s"\n' % at)
    program = os.environ.get("MALOTED", top + "/build/release/src/maloted")
    run = subprocess.run([program, "--config", str(tmp_path / "conf"),
                          "--check"], capture_output=True, text=True,
                         check=False, timeout=60)
    assert "metrics = \"%s\" is no address" % at in run.stderr + run.stdout


def test_mail_goes_without_it(serve, place, login):
    """Where its module is not installed, as beside a program that was copied."""
    program = os.environ.get("MALOTED", TOP + "/build/release/src/maloted")
    alone = place.path + "/maloted"
    where = os.path.dirname(program).encode()
    with open(program, "rb") as f:
        image = f.read()
    assert where in image
    with open(alone, "wb") as f:
        f.write(image.replace(where, b"/" + b"x" * (len(where) - 1)))
    os.chmod(alone, 0o755)
    server = serve(place.maildir(drop.make(5, 2)),
                   'metrics = "127.0.0.1:%d"\n' % free_port(),
                   env={"MALOTED": alone})
    assert login(server).stat()[0] == 2
    wait_until(lambda: "not installed" in server.log_text())


# ---- who has broken into it ----

class TestConfined:
    pytestmark = traced

    def test_it_reaches_nothing(self, site, inject):  # noqa: F811
        for tid in threads(site.pid):
            assert not_refused(inject(tid, NEVER + FILES)) == {}
        with open("/proc/%d/status" % site.pid, encoding="ascii") as f:
            status = dict(re.findall(r"(\w+):\t(.*)", f.read()))
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
        assert set(status["Uid"].split()) == {"65527"}
        assert os.listdir("/proc/%d/root" % site.pid) == []
        with open("/proc/%d/maps" % site.pid, encoding="ascii") as f:
            shared = [line.split()[1] for line in f if "memfd:tally" in line]
        assert shared and all("w" not in how for how in shared)
        assert "malote_sessions" in site.text()

    @pytest.mark.parametrize("message", [
        control.message(control.TYPES["STORE_WANTED"], bytes(8)),
        control.message(control.TYPES["UPGRADE"], bytes(12)),
        control.message(control.TYPES["SESSIONS"], bytes(14)),
        control.message(control.TYPES["TRACED"], bytes(21)),
        control.message(control.TYPES["WHERE_IS"], bytes(15)),
        struct.pack("=H", 999),
    ])
    def test_it_has_no_say(self, site, message):
        """What other processes may tell the parent, it may not."""
        pid = site.pid
        with control.channel_of(pid) as channel:
            channel.send(message)
        wait_until(lambda: site.server.events("misbehaved"))
        said = site.server.events("misbehaved")[0]
        assert (said["role"], said["by"]) == ("metrics", "parent")
        wait_until(lambda: site.server.roles("metrics") not in ([], [pid]))
        wait_until(lambda: "malote_sessions" in site.text())

    @pytest.mark.slow
    @pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
    def test_nothing_is_permitted_that_is_not_used(self, site, tmp_path):
        log = str(tmp_path / "log")
        tracer = subprocess.Popen(["strace", "-f", "-qq", "-s", "0", "-o",
                                   log, "-p", str(site.pid)],
                                  stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: all_traced(site.pid))
            site.text()
            site.text(OPEN)
            kept = site.http()
            for _ in range(2):
                kept.request("GET", "/metrics")
                kept.getresponse().read()
            kept.close()
            site.ask(path="/")
            site.ask(method="HEAD")
        finally:
            tracer.terminate()
            tracer.wait(20)
        with open(log, errors="replace", encoding="ascii") as f:
            called = set(re.findall(r"^\d+ +(?:<\.\.\. )?(\w+)", f.read(),
                                    re.M))
        permitted = names_of("server/metrics/metrics.c", "calls")
        assert permitted - called - OTHERS == set()
        base = names_of("base/sandbox.c", "base_calls") | {
            "mmap", "mprotect", "fcntl"}
        assert not called - permitted - base - OTHERS
