"""doc/proxies.md, in both languages: its settings as they stand there, but for
addresses, ports and paths, with haproxy, nginx and Dovecot."""
import os
import re

import pytest

import drop
import pop3
import proxies
from server import TOP, free_port

pytestmark = pytest.mark.ours

PAGES = ["proxies.md", "proxies.pt-BR.md"]
FILES = ("maloted.conf", "haproxy.cfg", "nginx.conf", "auth-proxy.conf.ext")


def pieces(page):
    """The indented pieces, by the file that is named before each."""
    with open(TOP + "/doc/" + page, encoding="utf-8") as f:
        text = f.read()
    found = {name: "" for name in FILES}
    for before, piece in re.findall(
            r"([^\n]*\n(?:\S[^\n]*\n)*)\n((?:    [^\n]*\n|\n(?=    ))+)",
            text):
        names = [n for n in FILES if n in before]
        if names:
            found[names[-1]] += re.sub(r"(?m)^    ", "", piece)
    assert all(found.values()), found
    return found


class Site:
    def __init__(self, page, place, serve, certs):
        self.place = place
        self.port = {n: free_port() for n in ("995", "8110", "10110",
                                              "10111")}
        for name in ("haproxy", "nginx"):
            os.mkdir(place.path + "/etc-" + name)
        pair = certs["good"]
        parts = {}
        for path in (pair.pem, pair.key):
            with open(path, encoding="ascii") as f:
                parts[path] = f.read()
        self.put("etc-haproxy/pop.pem", "".join(parts.values()))
        self.put("etc-nginx/pop.pem", parts[pair.pem])
        self.put("etc-nginx/pop.key", parts[pair.key])
        self.piece = {n: self.here(t) for n, t in pieces(page).items()}
        self.server = serve(place.maildir(drop.make(2, 3)),
                            self.piece["maloted.conf"])

    def put(self, name, text):
        with open(self.place.path + "/" + name, "w", encoding="ascii") as f:
            f.write(text)

    def here(self, text):
        text = re.sub(r"192\.0\.2\.[12]", "127.0.0.1", text)
        text = re.sub(r"/etc/(haproxy|nginx)", self.place.path + r"/etc-\1",
                      text)
        text = text.replace("bind :995", "bind 127.0.0.1:995").replace(
            "listen 995", "listen 127.0.0.1:995")
        return re.sub(r"\b(995|8110|10110|10111)\b",
                      lambda m: str(self.port[m.group(1)]), text)

    def signs_in(self, connect, port, tls, source):
        s = connect(port, tls, source=source)
        s.login()
        assert s.retr(1)
        s.quit()
        said = [e for e in self.server.await_event("login")
                if e["ip"] == source]
        assert [(e["by"], e["tls"]) for e in said] == [
            ("127.0.0.1", "proxy")], self.server.log_text()


@pytest.fixture(params=PAGES)
def site(request, place, serve, certs):
    return Site(request.param, place, serve, certs)


class Page(proxies.Proxy):
    """One that is begun with the page's own file."""

    def __init__(self, tmp, port, name, text, command, env=None):
        super().__init__(tmp, [])
        self.port = {"": port}
        path = self.write(name, text)
        self.start([w.replace("CONF", path) for w in command], env)


def test_haproxy(site, connect):
    where = proxies.unpacked("haproxy")
    proxy = Page(site.place.path + "/haproxy", site.port["995"],
                 "haproxy.cfg", site.piece["haproxy.cfg"],
                 [where + "/usr/sbin/haproxy", "-db", "-f", "CONF"],
                 {"LD_LIBRARY_PATH": where + "/usr/lib/x86_64-linux-gnu"})
    try:
        site.signs_in(connect, site.port["995"], pop3.context(), "127.0.0.41")
    finally:
        proxy.stop()


def test_nginx(site, connect):
    where = proxies.unpacked("nginx")
    if not os.path.exists("/usr/sbin/nginx"):
        pytest.skip("there is no nginx")
    tmp = site.place.path + "/nginx"
    text = ("load_module %s/usr/lib/nginx/modules/ngx_mail_module.so;\n"
            "daemon off;\npid %s/pid;\nerror_log stderr;\nevents {}\n%s" % (
                where, tmp, site.piece["nginx.conf"].replace(
                    "http {", "http {\n access_log off;")))
    proxy = Page(tmp, site.port["995"], "nginx.conf", text,
                 ["/usr/sbin/nginx", "-p", tmp, "-c", "CONF"])
    try:
        site.signs_in(connect, site.port["995"], pop3.context(), "127.0.0.42")
    finally:
        proxy.stop()


def test_dovecot(site, connect):
    proxy = proxies.Dovecot(site.place.path + "/dovecot", None,
                            passdb=site.piece["auth-proxy.conf.ext"])
    try:
        site.signs_in(connect, proxy.port["pop3"], None, "127.0.0.43")
    finally:
        proxy.stop()


def test_both_pages_say_the_same():
    one, two = (pieces(page) for page in PAGES)
    assert one == two
