"""malote signs in at maloted by a ticket, both ways; and is refused where it
must be."""
import pytest

import kdc
import malote
from test_malote_collect import point_at

site_of = pytest.importorskip("test_kerberos")
pytestmark = [malote.NEEDED, pytest.mark.ours, pytest.mark.skipif(
    not kdc.INSTALLED, reason="the programs of Kerberos are not installed")]
realm, site = site_of.realm, site_of.site  # fixtures


def person(client, site, name="ann", **settings):
    m = client()
    m.env.update(site.realm.env)
    m.env["KRB5CCNAME"] = site.realm.ticket(name, "secret")
    return m.account(server="localhost", user="ann", password=None,
                     **settings)


@pytest.mark.core
@pytest.mark.parametrize("mode", ["tls", "starttls", "none"])
def test_gssapi(site, client, mode):
    m = point_at(person(client, site, auth="gssapi"), site.server, mode)
    if mode == "none":
        m.account(port=site.clear_port)
    m.collect()
    site.signed_in("GSSAPI")
    assert len(m.files()) == site_of.MESSAGES


@pytest.mark.core
def test_kpop(site, client):
    m = person(client, site, port=site.kpop_port, security="kpop")
    m.collect()
    site.signed_in("KPOP")
    assert len(m.files()) == site_of.MESSAGES


@pytest.mark.parametrize("settings", [
    {"auth": "gssapi"}, {"security": "kpop"}], ids=["gssapi", "kpop"])
def test_for_somebody_else(site, client, settings):
    m = point_at(person(client, site, "eve", auth="gssapi"), site.server,
                 "tls")
    if "security" in settings:
        m.account(port=site.kpop_port, auth=None, ca_file=None, **settings)
    m.collect(status=malote.NOPERM)
    assert m.files() == {}
    site.server.await_event("login-failed")


@pytest.mark.parametrize("security", ["kpop", "none"])
def test_not_there(site, client, security):
    """KPOP where there is none, and none where there is KPOP."""
    m = person(client, site, security=security, timeout=malote.WAIT)
    m.account(port=site.clear_port if security == "kpop" else site.kpop_port)
    done = m.collect(status="bad")
    if security == "kpop":
        assert "it speaks POP3 without Kerberos" in done.text
    assert m.files() == {}
