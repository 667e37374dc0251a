"""Mail with UTF-8 in its header, for clients that know it and that do not
(RFC 6856, the setting utf8_messages)."""
import email.header
import email.policy
import gzip
import os

import pytest

import drop
from pop3 import Pop3

pytestmark = pytest.mark.ours

BODY = "\r\n\r\nOlá.\r\n.\r\n".encode()
PLAIN = b"From: a@b.example\r\nSubject: plain" + BODY
UTF8 = ("From: José <josé@exemplo.com.br>\r\nMessage-ID: <1@b>\r\n"
        "Subject: São Paulo\r\nCc: ana@bücher.example").encode() + BODY
PARTS = """From: a@b.example
Subject: plain
Content-Type: multipart/mixed; boundary="=_1"

--=_1
Content-Type: text/plain; charset=utf-8

Olá. Ação: ç
--=_1
Content-Type: application/pdf; name="relatório.pdf"
Content-Disposition: attachment; filename="relatório.pdf"
Content-Description: o relatório
Content-Transfer-Encoding: base64

JVBERi0=
--=_1
Content-Type: message/global

From: José <josé@exemplo.com.br>
Subject: São Paulo
Content-Type: multipart/alternative; boundary="=_2"

--=_2
Content-Type: text/plain; charset=utf-8; name="olá"

Olá: ç
--=_2--
--=_1--
""".replace("\n", "\r\n").encode()
LATIN1 = "Subject: S\xe3o Paulo".encode("latin-1") + BODY
MODES = ["pass", "convert", "simple", "refuse"]


@pytest.fixture
def box(place):
    """In the order of delivery; the fourth is the second, compressed."""
    path = place.maildir([])
    for n, text in enumerate([PLAIN, UTF8, LATIN1, gzip.compress(UTF8)]):
        with open("%s/new/10000000%d.m%d" % (path, n, n), "wb") as f:
            f.write(text)
        os.chmod(f.name, 0o666)
        owner = os.stat(path)
        os.chown(f.name, owner.st_uid, owner.st_gid)
    return path


def session(server, utf8=False):
    s = Pop3(server.port)
    if utf8:
        s.ok("UTF8")
    s.login()
    return s


def sizes(s, refused=()):
    """All that says a size says the same; what is sent has it."""
    count, total = s.stat()
    listed = s.list()
    assert count == len(listed) and total == sum(listed.values())
    sent = {}
    for n in listed:
        if n in refused:
            s.err("RETR %d" % n, "UTF8")
            s.err("TOP %d 0" % n, "UTF8")
            continue
        sent[n] = s.retr(n)
        assert listed[n] == len(sent[n])
        head = sent[n].split(b"\r\n\r\n")[0]
        assert s.top(n, 0).rstrip(b"\r\n") == head
    return sent


@pytest.mark.parametrize("mode", MODES)
def test_each_mode(box, serve, mode):
    """S-6856-01, S-6856-04, S-6856-05, S-6856-06: with and without the command UTF8."""
    server = serve(box, 'utf8_messages = "%s"\n' % mode)
    whole = {1: PLAIN, 2: UTF8, 3: LATIN1, 4: UTF8}
    for _ in range(2):  # the second by the index
        with session(server, utf8=True) as s:
            assert sizes(s) == whole
            s.quit()
        with session(server) as s:
            sent = sizes(s, [2, 4] if mode == "refuse" else [])
            s.quit()
        assert sent[1] == PLAIN and sent[3] == LATIN1
        if mode == "refuse":
            assert len(sent) == 2
            continue
        assert sent[2] == sent[4]
        assert sent[2].endswith(BODY)
        assert (sent[2] == UTF8) == (mode == "pass")
        head = sent[2].split(b"\r\n\r\n")[0]
        assert head.isascii() == (mode != "pass")
        if mode == "pass":
            continue
        fields = dict(line.split(b": ", 1) for line in
                      head.replace(b"\r\n ", b" ").split(b"\r\n"))
        assert str(email.header.make_header(email.header.decode_header(
            fields[b"Subject"].decode()))) == "São Paulo"
        assert (b"xn--bcher-kva.example" in fields[b"Cc"]) == (
            mode == "convert")
        assert (b"invalid@internationalized-address.invalid"
                in fields[b"From"]) == (mode == "simple")


@pytest.mark.parametrize("mode", ["convert", "simple", "refuse"])
def test_headers_of_parts(place, serve, mode):
    """S-6857-03: as another parser of MIME finds them."""
    box = place.maildir([
        drop.Message("new", "1.m", PARTS, 1, ""),
        drop.Message("new", "2.m", gzip.compress(PARTS), 2, "")])
    server = serve(box, 'utf8_messages = "%s"\n' % mode)
    with session(server, utf8=True) as s:
        assert sizes(s) == {1: PARTS, 2: PARTS}
        s.quit()
    with session(server) as s:
        sent = sizes(s, [1, 2] if mode == "refuse" else [])
        s.quit()
    if mode == "refuse":
        return
    assert sent[1] == sent[2]
    parts = list(email.message_from_bytes(
        sent[1], policy=email.policy.default).walk())
    assert [p.get_content_type() for p in parts] == [
        "multipart/mixed", "text/plain", "application/pdf", "message/rfc822",
        "multipart/alternative", "text/plain"]
    for p in parts:
        assert "".join(map("%s: %s".__mod__, p.raw_items())).isascii()
    assert parts[1].get_content() == "Olá. Ação: ç"
    assert parts[2].get_content() == b"%PDF-"
    assert parts[4]["Subject"] == "São Paulo"
    assert parts[5].get_content() == "Olá: ç"
    full = mode == "convert"
    assert parts[2].get_filename() == ("relatório.pdf" if full else None)
    assert parts[2]["Content-Description"] == (
        "o relatório" if full else None)
    assert parts[5].get_filename() == ("olá" if full else None)
    assert ("invalid@" in parts[4]["From"]) == (not full)


def test_removed_in_the_other_mode(box, serve):
    """Each kind of session has an index; the mail and its ids are one."""
    server = serve(box, 'utf8_messages = "convert"\n')
    with session(server) as s:
        ids = s.uidl()
        s.ok("DELE 2")
        s.quit()
    with session(server, utf8=True) as s:
        assert list(s.uidl().values()) == [ids[1], ids[3], ids[4]]
        s.ok("DELE 1")
        s.quit()
    with session(server) as s:
        assert list(s.uidl().values()) == [ids[3], ids[4]]
        assert len(sizes(s)) == 2
        s.quit()


def test_nobody_else_pays(box, serve):
    """No header is looked at with "pass", nor for who says UTF8."""
    server = serve(box)
    session(server).quit()
    assert sorted(n for n in os.listdir(box) if "index" in n) == [
        "malote.index"]
    server.stop()
    server = serve(box, 'utf8_messages = "refuse"\n')
    session(server, utf8=True).quit()
    assert sorted(n for n in os.listdir(box) if "index" in n) == [
        "malote.index"]


def indexes(box):
    return sorted(n[len("malote.index"):] for n in os.listdir(box)
                  if n.startswith("malote.index"))


def tomorrow(place, box):
    """Mail has come, and it is time to sweep again."""
    if os.path.exists(box + "/malote.lock"):
        os.truncate(box + "/malote.lock", 0)
    place.add(box, [drop.Message("new", "20000000%02d.m" % len(
        os.listdir(box + "/new")), PLAIN, 2 * 10 ** 9, "")])


def test_index_of_another_setting_goes(place, box, serve):
    for mode, there in ("convert", ["-convert"]), ("simple", ["-simple"]), (
            "refuse", ["-refuse"]), ("pass", [""]):
        tomorrow(place, box)
        server = serve(box, 'utf8_messages = "%s"\n' % mode)
        session(server).quit()
        assert indexes(box) == there
        server.stop()
    server = serve(box, 'utf8_messages = "convert"\n')
    session(server).quit()
    tomorrow(place, box)
    session(server, utf8=True).quit()
    assert indexes(box) == ["", "-convert"]


def test_index_that_a_session_has(place, box, serve):
    """It goes, and the session does not notice."""
    shared = 'sessions = "shared"\n'
    server = serve(box, shared + 'utf8_messages = "convert"\n')
    other = serve(box, shared)
    with session(server) as s:
        tomorrow(place, box)
        session(other).quit()
        assert indexes(box) == [""]
        ids = s.uidl()
        assert len(sizes(s)) == 4
        s.ok("DELE 2")
        s.quit()
    with session(server) as s:
        assert list(s.uidl().values())[:3] == [ids[1], ids[3], ids[4]]
        s.quit()


def test_changed_file(box, serve):
    """A header that came to need it after it was measured."""
    server = serve(box, 'utf8_messages = "convert"\n')
    with session(server) as s:
        assert sizes(s)[1] == PLAIN
        with open(box + "/new/100000000.m0", "wb") as f:
            f.write(UTF8)
        assert s.retr(1) == s.retr(2)
        s.quit()
    with session(server) as s:
        sent = sizes(s)
        assert sent[1] == sent[2]
        s.quit()
