"""Tokens that a provider gives out: by a real authorisation server, of
Authlib, and servers that take them."""
import base64
import os
import re
import shutil
import signal
import stat
import subprocess
import time

import pytest

import browser
import drop
import hostile_session
import malote
from hostile import letters
from proxied import Proxied
from server import PATIENCE, TOP, free_port, wait_until
from test_malote_collect import point_at

pytest.importorskip("authlib")
pytest.importorskip("flask")
provider = pytest.importorskip("provider")

pytestmark = malote.NEEDED
COUNT = 2
URL = re.compile(r"^https://\S+$", re.M)


@pytest.fixture
def give(certs):
    """give(...): a Provider, stopped after the test."""
    started = []

    def start(kind="good", **more):
        started.append(provider.Provider(certs.context(kind), **more))
        return started[-1]
    yield start
    for one in started:
        one.stop()


@pytest.fixture
def server(lie, certs):
    return lie(letters(COUNT), mode="tls", context=certs.context(),
               sasl=["PLAIN", "XOAUTH2"], user=provider.USER)


@pytest.fixture
def join(client, server, certs):
    """join(provider): an account that has its tokens from there."""
    def make(given, block="work", **settings):
        server.takes = given.is_good
        m = client().account(
            at=server, server="localhost", ca_file=certs.ca, password=None,
            user=None, email=provider.USER, oauth=block)
        m.oauth[block] = given.settings(certs.ca, **settings)
        return m
    return make


def shown(run, pattern=URL):
    """What a run that goes on has said by now."""
    end = time.monotonic() + 20 * PATIENCE
    while time.monotonic() < end:
        with open(run.files[0].name) as f:
            found = pattern.search(f.read())
        if found:
            return found.group()
        assert not run.poll(), run.result
        time.sleep(0.02)
    raise AssertionError("it says nothing")


def login(m, certs, *words, status=malote.OK):
    """By a browser here; what it saw, and the run."""
    run = m.start("login", "--browser", *words)
    page = browser.visit(shown(run), certs.ca)
    return page, run.wait(status=status)


def tokens(m):
    """{name: text} of what is kept."""
    folder = os.path.join(m.state, "tokens")
    kept = {}
    for name in os.listdir(folder):
        with open(os.path.join(folder, name)) as f:
            if not name.endswith(".lock"):
                kept[name] = f.read()
    return kept


def secrets(given):
    return [t for token in given.tokens
            for t in (token.access, token.refresh) if t]


def nothing_told(given, *texts):
    for text in texts:
        for secret in [*secrets(given), provider.SECRET]:
            assert secret not in text


# In a browser.

def test_login(m_login):
    """Then it collects without asking."""
    m, given, certs, server = m_login
    (code, page), done = login(m, certs)
    assert (code, "Done" in page) == (200, True)
    assert "casa: signed in at work" in done.text
    asked = given.forms("/authorize")[0]
    assert asked["code_challenge_method"] == "S256"
    assert asked["login_hint"] == provider.USER
    assert asked["scope"] == provider.SCOPE
    assert given.forms("/token")[0]["redirect_uri"] == \
        asked["redirect_uri"]
    collected = m.collect("-v")
    assert len(m.files()) == COUNT
    assert server.commands("AUTH") == ["AUTH XOAUTH2"]
    assert given.grant_types() == ["authorization_code"]
    nothing_told(given, done.text, collected.text)


@pytest.fixture
def m_login(give, join, certs, server):
    given = give()
    return join(given), given, certs, server


def test_tokens_are_for_their_owner(m_login):
    m, given, certs, _ = m_login
    login(m, certs)
    (name, text), = tokens(m).items()
    folder = os.path.join(m.state, "tokens")
    for path, mode in ((folder, 0o700), (os.path.join(folder, name), 0o600)):
        assert stat.S_IMODE(os.stat(path).st_mode) == mode
    assert text.splitlines()[1:] == [given.tokens[0].access,
                                     given.tokens[0].refresh]


def test_answer_for_another_sign_in(m_login):
    """It is told so, and the right one is still waited for."""
    m, given, certs, _ = m_login
    run = m.start("login", "--browser")
    url = shown(run)
    back = re.search(r"redirect_uri=([^&]*)", url).group(1)
    back = back.replace("%3A", ":").replace("%2F", "/")
    for query in ("?code=stolen&state=other", "?code=stolen", "?state=",
                  "?error=access_denied&state=x"):
        code, page = browser.visit(back + "/" + query, certs.ca)
        assert (code, "another sign-in" in page) == (400, True)
    for path in ("/", "/favicon.ico", "/x?code=1&state=2"):
        assert browser.visit(back + path, certs.ca)[0] == 404
    assert not run.poll()
    assert browser.visit(url, certs.ca)[0] == 200
    run.wait()
    assert len(given.forms("/token")) == 1


def test_provider_changes_state(m_login):
    m, given, certs, _ = m_login
    given.state = "x"
    run = m.start("login", "--browser")
    code, page = browser.visit(shown(run), certs.ca)
    assert code == 400
    run.kill()
    run.wait(status="killed")
    assert given.forms("/token") == [] and tokens(m) == {}


def test_not_allowed(m_login):
    m, given, certs, _ = m_login
    given.allows = False
    (code, page), done = login(m, certs, status=malote.NOPERM)
    assert "not allowed" in page
    assert "it was not allowed at work; to try again: malote login casa " \
        "(\"access_denied" in done.text
    assert tokens(m) == {}


def test_browser_is_opened(m_login):
    m, given, certs, _ = m_login
    tools = os.path.join(m.home, "bin")
    os.mkdir(tools)
    with open(tools + "/xdg-open", "w") as f:
        f.write("#!/bin/sh\necho \"$@\" >%s/opened.new\nmv %s/opened.new "
                "%s/opened\n" % (m.home, m.home, m.home))
    os.chmod(tools + "/xdg-open", 0o755)
    run = m.start("login", env={"DISPLAY": ":99", "PATH": tools + ":" +
                                os.environ["PATH"]})
    url = shown(run)
    end = time.monotonic() + 20 * PATIENCE
    while not os.path.exists(m.home + "/opened"):
        assert time.monotonic() < end
        time.sleep(0.02)
    with open(m.home + "/opened") as f:
        assert f.read().strip() == url
    browser.visit(url, certs.ca)
    assert "Your browser opens" in run.wait().text


def test_address_is_pasted(m_login, typist):
    """The browser runs on another computer."""
    m, given, certs, _ = m_login
    t = typist(m, "login", "--browser", columns=2000)
    t.expect(b"paste the address of that page here.")
    url = re.search(rb"https://[^\r\n]+", t.seen).group().decode()
    with pytest.raises(OSError):  # nobody listens at the port there
        browser.visit(re.sub(r"(redirect_uri=http%3A%2F%2F[0-9.]+%3A)\d+",
                             r"\g<1>1", url), certs.ca)
    back = re.search(r"redirect_uri=([^&]*)", url).group(1)
    state = re.search(r"state=([^&]*)", url).group(1)
    code = next(iter(given.codes))
    given.codes[code].redirect_uri = back.replace(
        "%3A", ":").replace("%2F", "/")
    t.type(b"nonsense\n")
    t.expect(b"That is not the address of the page")
    t.type(("http://127.0.0.1:1/?code=%s&state=%s\n"
            % (code, state)).encode())
    t.expect(b"signed in at work")
    assert t.wait() == 0


def test_own_port_and_path(m_login):
    m, given, certs, _ = m_login
    port = free_port()
    m.oauth["work"]["redirect_url"] = "http://localhost:%d/back" % port
    login(m, certs)
    assert given.forms("/authorize")[0]["redirect_uri"] == \
        "http://localhost:%d/back" % port


# By a code, where there is no display to show a browser on.

CODE = re.compile(r"(?m)^ +([A-Z]{4}-[A-Z]{4})$")


def test_device(m_login):
    m, given, certs, _ = m_login
    run = m.start("login", "casa")
    code = shown(run, CODE).strip()
    end = time.monotonic() + 20 * PATIENCE
    while not given.grant_types():  # it is not decided at first
        assert time.monotonic() < end
        time.sleep(0.02)
    given.grants[code] = True
    done = run.wait()
    assert given.url + "/device" in done.text
    assert set(given.grant_types()) == {
        "urn:ietf:params:oauth:grant-type:device_code"}
    m.collect()
    assert len(m.files()) == COUNT
    nothing_told(given, done.text)


@pytest.mark.parametrize("life, words", [
    (2, "nobody has allowed it"), (60, "it was not allowed at work")])
def test_device_that_ends(m_login, life, words):
    m, given, certs, _ = m_login
    given.device_life = life
    run = m.start("login", "casa")
    code = shown(run, CODE).strip()
    if life == 60:
        given.grants[code] = False
    assert words in run.wait(status="bad").text
    assert tokens(m) == {}


@pytest.mark.slow
def test_device_slows_down(m_login):
    m, given, certs, _ = m_login
    given.slows = 1
    run = m.start("login", "casa")
    given.grants[shown(run, CODE).strip()] = True
    run.wait()
    given.grants.clear()
    given.slows, before = 1, len(given.asked)
    start = time.monotonic()
    run = m.start("login", "casa")
    code = shown(run, CODE).strip()
    while len(given.asked) == before + 1:
        time.sleep(0.02)
    given.grants[code] = True
    run.wait()
    assert time.monotonic() - start > 6


# Renewing.

@pytest.fixture
def signed_in(m_login):
    m, given, certs, server = m_login
    login(m, certs)
    return m, given, server


def test_token_that_expires_is_renewed(signed_in):
    m, given, server = signed_in
    given.lifetime = 1
    given.expire()
    path, text = next(iter(tokens(m).items()))
    with open(os.path.join(m.state, "tokens", path), "w") as f:
        f.write("1\n" + text.split("\n", 1)[1])
    m.collect()
    assert given.grant_types()[1:] == ["refresh_token"]
    assert len(server.commands("AUTH")) == 1
    m.collect()  # one second is too short to be kept
    assert given.grant_types()[1:] == ["refresh_token"] * 2


def test_token_that_lives_is_kept(signed_in):
    m, given, server = signed_in
    for _ in range(3):
        m.collect()
    assert given.grant_types() == ["authorization_code"]


def test_by_hand(signed_in):
    """Who only looks finds the tokens, too, and renews what is refused."""
    m, given, server = signed_in
    m.run("list")
    m.run("collect", "--dry-run")
    assert given.grant_types()[1:] == []
    given.expire()
    m.run("delete", "casa", "1", "--yes")
    given.expire()
    m.run("test")
    m.run("fetch", "casa", "2")
    assert given.grant_types()[1:] == ["refresh_token"] * 2
    assert len(server.box.mails) == COUNT - 1 and len(m.files()) == 1
    assert os.listdir(m.state).count("tokens") == 1


@pytest.mark.parametrize("command", ["list", "test"])
def test_by_hand_refused_twice(signed_in, command):
    m, given, server = signed_in
    server.takes = lambda user, token: False
    m.run(command, status=malote.NOPERM)
    assert len(server.commands("AUTH")) == 2


def test_refused_token_is_renewed_once(signed_in):
    """The server knows better than the clock."""
    m, given, server = signed_in
    given.expire()
    m.collect()
    assert given.grant_types()[1:] == ["refresh_token"]
    assert len(server.commands("AUTH")) == 2
    assert len(m.files()) == COUNT


def test_refused_twice(signed_in):
    """It is no loop."""
    m, given, server = signed_in
    server.takes = lambda user, token: False
    done = m.collect(status=malote.NOPERM)
    assert given.grant_types()[1:] == ["refresh_token"]
    assert len(server.commands("AUTH")) == 2
    assert "the token is new, so look whether POP is switched on at work" \
        in done.text
    nothing_told(given, done.text)


@pytest.mark.parametrize("words", [["list"], ["collect", "--dry-run"],
                                   ["test"]])
def test_looks_have_the_tokens_too(signed_in, words):
    """One that the server refuses is renewed, once."""
    m, given, server = signed_in
    given.expire()
    m.run(*words)
    assert given.grant_types()[1:] == ["refresh_token"]
    server.takes = lambda user, token: False
    before = len(server.commands("AUTH"))
    m.run(*words, status=malote.NOPERM)
    assert len(server.commands("AUTH")) == before + 2


def test_refresh_tokens_for_one_use(signed_in):
    m, given, server = signed_in
    given.rotates = True
    for _ in range(3):
        given.expire()
        m.collect()
    used = [form["refresh_token"] for form in given.forms("/token")[1:]]
    assert len(used) == len(set(used)) == 3
    assert given.tokens[-1].refresh in next(iter(tokens(m).values()))


def test_two_accounts_renew_once(signed_in):
    """One of them waits for the other, or the second would withdraw all."""
    m, given, server = signed_in
    given.rotates = True
    m.account("casa2", **{**m.accounts["casa"], "server": "127.0.0.1",
                          "deliver": "maildir:" + m.home + "/mail2"})
    path, text = next(iter(tokens(m).items()))
    with open(os.path.join(m.state, "tokens", path), "w") as f:
        f.write("1\n" + text.split("\n", 1)[1])
    given.delay = 0.5  # there is time for both to ask
    m.collect()
    assert given.grant_types()[1:] == ["refresh_token"]
    assert len(server.commands("AUTH")) == 2


def test_withdrawn(signed_in):
    m, given, server = signed_in
    given.revoke()
    done = m.collect(status=malote.CONFIG)
    assert "what was allowed at work is no longer valid; sign in again: " \
        "malote login casa (\"invalid_grant" in done.text
    nothing_told(given, done.text)


def test_nobody_has_signed_in(m_login):
    m, given, certs, server = m_login
    done = m.collect(status=malote.CONFIG)
    assert "sign in: malote login casa" in done.text
    assert given.asked == [] and server.lines == []


def test_tried_before_anybody_has_signed_in(m_login):
    """Where there is no folder of the state yet."""
    m, given, certs, server = m_login
    assert not os.path.exists(m.state)
    done = m.run("test", status=malote.CONFIG)
    assert "sign in: malote login casa" in done.text
    assert "No such file" not in done.text


def test_other_client_gets_no_token(signed_in):
    """A token is shown only to whom it is from."""
    m, given, server = signed_in
    m.oauth["work"]["token_url"] += "?other"
    done = m.collect(status=malote.CONFIG)
    assert "malote login casa" in done.text
    assert given.grant_types() == ["authorization_code"]


def test_no_place_is_seen_before(signed_in):
    """A refresh token for one use is not spent if the next one cannot be
    kept."""
    m, given, server = signed_in
    given.rotates = True
    given.expire()
    (name, _), = tokens(m).items()
    there = os.path.join(m.state, "tokens", name + ".new")
    os.mkdir(there)
    done = m.collect(status=malote.CONFIG)
    assert name + ".new" in done.text
    assert given.grant_types() == ["authorization_code"]
    os.rmdir(there)
    m.collect()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("words", ["collect", "fetch casa 1", "list", "test"])
def test_stopped_while_it_renews(signed_in, words, number):
    """The provider has given a token for one use by then."""
    m, given, server = signed_in
    m.run("list")
    given.rotates = True
    given.expire()
    given.delay = 1.5
    run = m.start(*words.split())
    wait_until(lambda: len(given.grant_types()) == 2)
    run.signal(number)
    run.wait(status=None)
    given.delay = 0
    assert given.tokens[-1].refresh in next(iter(tokens(m).values()))
    m.collect()
    assert len(given.grant_types()) == 2


# Providers that are not well.

@pytest.mark.parametrize("fault, code, words", [
    (("<html>", 200), malote.CONFIG, "no JSON object"),
    (("x" * 100000, 200), malote.CONFIG, "sends more than 65536 octets"),
    (("{}", 200), malote.CONFIG, "it has no \"access_token\""),
    (("{\"access_token\": \"a\\nb\"}", 200), malote.CONFIG,
     "is not what it must be"),
    (("busy", 503), malote.UNAVAILABLE, "cannot answer now (status 503)"),
    (("{\"error\": \"temporarily_unavailable\"}", 400), malote.UNAVAILABLE,
     "cannot answer now"),
    (("", 429), malote.UNAVAILABLE, "cannot answer now (status 429)"),
    (("{\"error\": \"invalid_client\"}", 401), malote.CONFIG,
     "client_id or client_secret of oauth \"work\" is wrong"),
    (("{\"error\": \"invalid_scope\"}", 400), malote.CONFIG,
     "scope of oauth \"work\" is wrong"),
    (("{\"error\": \"interaction_required\"}", 400), malote.CONFIG,
     "sign in again: malote login casa"),
    (("{\"error\": \"x\\u001b[2J\", \"error_description\": \"\\u202e\"}",
      400), malote.CONFIG, "work refuses (\"x\\x1b[2J"),
    (("{\"error\": \"x\", \"error_description\": \"REFRESH is odd\"}", 400),
     malote.CONFIG, "work refuses (\"***\")")])
def test_odd_answers(signed_in, fault, code, words):
    m, given, server = signed_in
    given.expire()
    body = fault[0].replace("REFRESH", given.tokens[0].refresh)
    given.fault("/token", body, fault[1])
    done = m.collect(status=code)
    assert words in done.text and "\x1b" not in done.text
    nothing_told(given, done.text)
    m.collect()  # nothing was lost, and the server is not asked in vain
    assert len(server.commands("AUTH")) == 2


def test_redirected_to_http(signed_in, lie):
    """What was sent goes nowhere else."""
    m, given, server = signed_in
    other = lie([])
    given.expire()
    given.fault("/token", "", 307,
                Location="http://127.0.0.1:%d/token" % other.port)
    m.collect(status=malote.CONFIG)
    assert other.lines == []
    m.collect()


def test_nobody_there(signed_in):
    """It passes by itself."""
    m, given, server = signed_in
    given.expire()
    given.stop()
    for _ in range(2):
        done = m.collect(status=malote.UNAVAILABLE)
        assert "cannot be asked" in done.text
    assert len(server.commands("AUTH")) == 1
    given.stop = lambda: None


def test_silent_provider(signed_in, lie, certs):
    """Nobody else waits for it."""
    m, given, server = signed_in
    given.expire()
    given.delay = 4
    other = lie(letters(1), mode="tls", context=certs.context())
    m.account("other", at=other, server="localhost", user="user",
              ca_file=certs.ca, password="secret",
              deliver="maildir:" + m.home + "/other")
    m.account("casa", timeout=1, patience=0)
    run = m.start("collect")
    wait_until(lambda: len(m.files("other")) == 1)
    assert not run.poll()
    done = run.wait(status=malote.UNAVAILABLE)
    assert "did not answer within 1 s" in done.text
    assert m.files() == {}


def test_unknown_authority(signed_in):
    m, given, server = signed_in
    given.expire()
    m.oauth["work"]["ca_file"] = None
    done = m.collect(status=malote.CONFIG)
    assert "the certificate of localhost:%d cannot be verified" % \
        given.port in done.text


def test_damaged_tokens(signed_in, certs):
    m, given, server = signed_in
    path, _ = next(iter(tokens(m).items()))
    with open(os.path.join(m.state, "tokens", path), "w") as f:
        f.write("what is this?")
    done = m.collect(status=malote.CONFIG)
    assert "are damaged; sign in again: malote login casa" in done.text
    login(m, certs)
    m.collect()


# Servers that take tokens.

class Exchange(hostile_session.Session):
    """What Exchange Online does at sign-in, as Microsoft documents it: the
    token comes alone, and a refusal is nothing but one."""

    def do_auth(self, rest):
        name, _, initial = rest.partition(" ")
        if name.upper() != "XOAUTH2" or initial:
            raise hostile_session.Gone
        got = base64.b64decode(self.challenge(b""))
        user, token, *_ = got.decode().split("\1")
        if self.server.takes(user[5:], token[len("auth=Bearer "):]):
            return self.signed_in(True)
        return hostile_session.err("Authentication failure: unknown user "
                                   "name or bad password.")


def test_microsoft(give, join, odd, certs, monkeypatch):
    given = give()
    server = odd(Exchange, letters(COUNT), mode="tls",
                 context=certs.context(), user=provider.USER,
                 capa=["TOP", "UIDL"], sasl=["PLAIN", "XOAUTH2"])
    m = join(given).account(at=server, server="localhost")
    server.takes = given.is_good
    login(m, certs)
    m.collect()
    assert len(m.files()) == COUNT
    given.expire()
    again = m.collect()
    assert given.grant_types()[1:] == ["refresh_token"]
    server.takes = lambda user, token: False
    done = m.collect(status=malote.NOPERM)
    assert "unknown user name or bad password" in done.text
    assert "whether POP is switched on" in done.text
    nothing_told(given, again.text, done.text)


@pytest.mark.skipif(not os.path.exists("/usr/sbin/dovecot"),
                    reason="no Dovecot")
@pytest.mark.parametrize("mechanism", ["xoauth2", "oauthbearer"])
def test_dovecot(give, join, serve, place, certs, mechanism):
    """It asks the provider what a token is worth (RFC 7662)."""
    given = give()
    messages = drop.peaceful(drop.make(5, 20))
    conf = place.path + "/oauth2.conf"
    ca = shutil.copy(certs.ca, place.path + "/ca.pem")  # it is nobody there
    with open(conf, "w") as f:
        f.write("introspection_url = %s/introspect\n"
                "introspection_mode = post\nusername_attribute = email\n"
                "active_attribute = active\nactive_value = true\n"
                "tls_ca_cert_file = %s\n" % (given.url, ca))
    server = serve([(provider.USER, "x", place.maildir(messages))],
                   peer="dovecot", peer_config="""
auth_mechanisms = %s
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = %s
}
""" % (mechanism, conf))
    m = point_at(join(given), server, "tls")
    login(m, certs)
    m.collect()
    assert len(m.files()) == len(messages)
    assert given.forms("/introspect")


# The great ones, as the manual says.

GREAT = {
    "google": ("pop.gmail.com", "https://accounts.google.com", {
        "offline": ["access_type=offline", "prompt=consent",
                    "https://mail.google.com/"]}),
    "microsoft": ("outlook.office365.com", "https://login.microsoftonline.com",
                  {"public": True, "offline": [
                      "offline_access",
                      "https://outlook.office.com/POP.AccessAsUser.All"]}),
    "yahoo": ("pop.mail.yahoo.com", "https://api.login.yahoo.com",
              {"offline": ["mail-w"]}),
    "fastmail": ("pop.fastmail.com", "https://api.fastmail.com", {
        "public": True, "offline": ["offline_access",
                                    "urn:ietf:params:oauth:scope:mail"]})}


def examples(page):
    with open(os.path.join(TOP, "doc", page)) as f:
        return [text for text in re.findall(
            r"(?ms)^```\n(.*?)^```", f.read()) if "oauth \"" in text]


@pytest.fixture
def internet(give, lie, certs):
    """internet(name): a great provider and its POP3 server; all else is
    nowhere."""
    started = []

    def start(name):
        pop, place, how = GREAT[name]
        given = give(kind="providers", **how)
        server = lie(letters(COUNT), mode="tls", user=provider.USER,
                     context=certs.context("providers"), sasl=["XOAUTH2"])
        server.takes = given.is_good
        names = dict.fromkeys((
            "oauth2.googleapis.com", "login.microsoftonline.com",
            "api.login.yahoo.com", "api.fastmail.com"), given.port)
        started.append(Proxied({**names, pop: server.port}))
        return started[-1], given, place
    yield start
    for one in started:
        one.stop()


def as_a_person(m, conf, net, given, certs, pop=None):
    """A configuration, with what the test needs in it: the way, and whom to
    trust."""
    conf = conf.replace("1234-abcd.apps.googleusercontent.com", provider.ID)
    conf = conf.replace("GOCSPX-abcd", provider.SECRET)
    conf = re.sub(r"email = .*", "email = \"%s\"" % provider.USER, conf)
    conf = re.sub(r"(oauth \".*\{)", r"\1\n\tca_file = '%s'" % certs.ca, conf)
    conf = re.sub(r"(account \".*\{)", "\\1\n\tproxy = '127.0.0.1:%d'\n\t"
                  "ca_file = '%s'\n\tdeliver = 'maildir:%s/mail'"
                  % (net.port, certs.ca, m.home), conf)
    m.write_conf(conf)


@pytest.mark.parametrize("page", ["man/malote-oauth.7.scd",
                                  "man/pt_BR/malote-oauth.7.scd"])
def test_manual(internet, client, certs, page):
    """The first example is copied, and the id is one's own."""
    net, given, place = internet("google")
    m = client()
    as_a_person(m, examples(page)[0], net, given, certs)
    run = m.start("login", "casa", write=False)
    url = shown(run)
    assert url.startswith(place)
    code, text = browser.visit(url.replace(place, given.url), certs.ca)
    assert code == 200
    run.wait()
    m.run("collect", write=False)
    assert len(m.files()) == COUNT
    assert {name for name, _ in net.asked} == {
        "oauth2.googleapis.com", "pop.gmail.com"}


@pytest.mark.parametrize("page", ["man/malote-oauth.7.scd",
                                  "man/pt_BR/malote-oauth.7.scd",
                                  "man/malote.conf.5.scd",
                                  "man/pt_BR/malote.conf.5.scd"])
def test_examples_are_right(client, page):
    found = examples(page)
    assert found
    for n, text in enumerate(found):
        m = client(str(n))
        m.write_conf(text + ("" if "account" in text else
                             "account 'x' { email = 'a@b' server = 'c' }"))
        m.run("accounts", write=False)


@pytest.mark.parametrize("flow", ["--browser", "--device"])
@pytest.mark.parametrize("name", sorted(GREAT))
def test_great_provider(internet, client, certs, name, flow):
    net, given, place = internet(name)
    secret = "" if given.public else "client_secret = 'GOCSPX-abcd'"
    m = client()
    as_a_person(m, """
oauth "%s" {
	client_id = "%s"
	%s
}
account "casa" {
	email = "x"
	server = "%s"
	oauth = "%s"
}
""" % (name, provider.ID, secret, GREAT[name][0], name), net, given, certs)
    if flow == "--device" and name != "microsoft":
        done = m.run("login", flow, write=False, status=malote.CONFIG)
        assert name + " gives out no codes for devices" in done.text
        return
    run = m.start("login", flow, write=False)
    if flow == "--device":
        given.grants[shown(run, CODE).strip()] = True
    else:
        code, _ = browser.visit(
            shown(run).replace(place, given.url), certs.ca)
        assert code == 200
    run.wait()
    given.expire()
    m.run("collect", write=False)
    assert len(m.files()) == COUNT


# Where tokens are kept.

KEYRING = all(shutil.which(x) for x in (
    "gnome-keyring-daemon", "dbus-run-session"))


@pytest.mark.skipif(not KEYRING, reason="needs gnome-keyring")
def test_keyring(m_login):
    """One bus after the other: the keyring is a file of the daemon."""
    m, given, certs, _ = m_login
    os.mkdir(m.home + "/run", 0o700)
    more = {
        "env": {"XDG_RUNTIME_DIR": m.home + "/run",
                "XDG_DATA_HOME": m.home + "/data"},
        "wrap": ["dbus-run-session", "--", "sh", "-c", "printf x | "
                 "gnome-keyring-daemon --unlock --components=secrets "
                 ">/dev/null 2>&1; \"$@\"", "sh"]}
    m.account(keyring="yes")
    run = m.start("login", "--browser", **more)
    browser.visit(shown(run), certs.ca)
    run.wait()
    assert tokens(m) == {}
    m.collect(**more)
    given.expire()
    m.collect(**more)
    assert given.grant_types() == ["authorization_code", "refresh_token"]
    assert len(m.files()) == COUNT


def test_no_keyring(m_login):
    """No bus, as from a timer at night; nobody is bothered in vain."""
    m, given, certs, _ = m_login
    m.account(keyring="yes")
    none = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent"}
    for words in (["collect"], ["login", "--browser"], ["login"]):
        done = m.run(*words, status="bad", env=none)
        assert "the keyring cannot be reached" in done.text
    assert given.asked == []


# A browser.

@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="no Chromium")
def test_chromium(m_login):
    """It opens connections ahead, and asks for an icon."""
    m, given, certs, _ = m_login
    run = m.start("login", "--browser")
    seen = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu",
         "--no-first-run", "--ignore-certificate-errors", "--no-proxy-server",
         "--user-data-dir=" + m.home + "/chromium", "--dump-dom",
         shown(run)], env={**m.env, "HOME": m.home}, timeout=60 * PATIENCE,
        stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert "Done: malote may collect your mail." in seen.stdout
    run.wait()
    m.collect()
    assert len(m.files()) == COUNT


# Nobody signs in.

def test_client_credentials(give, join):
    """As ticket systems do."""
    given = give()
    m = join(given, flow="client", scope="mail")
    assert "signed in at work" in m.run("login").text
    m.collect()
    m.collect()
    assert given.grant_types() == ["client_credentials"]
    given.expire()
    m.collect()
    assert given.grant_types() == ["client_credentials"] * 2
    m.oauth["work"]["client_secret"] = "wrong"
    given.expire()
    done = m.collect(status=malote.CONFIG)
    assert "client_secret of oauth \"work\" is wrong" in done.text
    assert "wrong\"" not in done.text.replace("is wrong", "")


# Commands.

def test_login_where_none_is_needed(m_login):
    m, given, certs, server = m_login
    m.account("other", at=server, password="x", server="localhost",
              ca_file=certs.ca)
    done = m.run("login", "other", status=malote.CONFIG)
    assert "it has no setting oauth" in done.text


def test_login_where_no_account_needs_it(client):
    """It is no success that says nothing."""
    m = client().account()
    assert "no account has a setting oauth" in m.run(
        "login", status=malote.CONFIG).text


# Mail that is put elsewhere.

@pytest.fixture
def joined(give, join, certs, gmail):
    """An account that is collected by one scope, and delivers by another."""
    given = give()
    gmail.user = provider.USER
    gmail.tokens = lambda token: next(
        ((provider.USER, t.scope.split()) for t in given.tokens
         if t.access == token and given.is_good(None, token)), None)
    m = join(given)
    m.account(deliver="gmail:" + provider.USER)
    m.destinations["gmail"] = {"oauth": "work", "ca_file": certs.ca,
                               "url": gmail.url}
    return m, given, gmail


def login_both(m, certs):
    run = m.start("login", "--browser")
    browser.visit(shown(run), certs.ca)
    second = re.compile(r"^https://\S*gmail\.insert\S*$", re.M)
    browser.visit(shown(run, second), certs.ca)
    return run.wait()


def test_scopes_are_apart(joined, certs, server):
    """What was allowed for POP3 is not shown to the API, and the other way
    round; neither takes the other's place."""
    m, given, gmail = joined
    done = login_both(m, certs)
    assert "collect the mail of " + provider.USER in done.text
    assert "put mail into the mailbox of " + provider.USER in done.text
    asked = given.forms("/authorize")
    assert asked[0]["scope"] == provider.SCOPE
    assert set(asked[1]["scope"].split()) == {
        "https://www.googleapis.com/auth/gmail." + x
        for x in ("insert", "readonly", "labels")}
    assert len(tokens(m)) == 2
    m.collect()
    assert len(gmail.texts()) == COUNT and len(gmail.calls("profile")) > 0
    # Each is renewed by its own.
    given.expire()
    server.box.mails[:] = letters(COUNT, 9, "again%d")
    m.collect()
    assert len(gmail.texts()) == 2 * COUNT and len(tokens(m)) == 2


def test_only_one_is_allowed(joined, certs, server):
    """Nothing is downloaded, and the words say what to do."""
    m, given, gmail = joined
    m.account(deliver="maildir:" + m.home + "/mail")
    login(m, certs)
    m.account(deliver="gmail:" + provider.USER)
    done = m.collect(status="bad")
    assert "put mail into the mailbox of %s yet; sign in: malote login" % \
        provider.USER in done.text
    assert server.numbers("RETR") == [] and gmail.asked == []
