"""maloted --check of blocks oauth: what is wrong is said, and what to do."""
import json
import os
import subprocess

import pytest

import issuer as issuers
from issuer import Issuer, new_key
from server import MALOTED, PATIENCE
from test_tokens import MECHANISMS, Site, fresh, shown_block  # noqa: F401

pytestmark = pytest.mark.ours

USER = "ann@site.example"


class Check(Site):
    def check(self, *blocks, mechanisms=MECHANISMS, more=""):
        """(exit code, what was said)"""
        tmp = self.place.path
        self.write("users", "%s:{PLAIN}secret\n" % USER)
        os.chmod(tmp + "/users", 0o600)
        root = os.geteuid() == 0
        with open(tmp + "/maloted.conf", "w", encoding="utf-8") as f:
            f.write('users = "%s/users"\nmail_root = "%s"\n'
                    'mail = "maildir:%s/%%n"\nmechanisms = "%s"\n'
                    'control_socket = "%s/control"\n' % (
                        tmp, tmp, tmp, mechanisms, tmp))
            f.write(more)
            if root:
                f.write('user = 65533\nauth_user = 65532\nnet_user = 65528\n'
                        'sasl_user = 65529\nmail_user = %d\n'
                        % self.place.owner[0])
            f.write('listener "a" {\n\tport = 21110\n\ttls = "none"\n'
                    '\tplaintext_login = yes\n}\n')
            f.write("".join(blocks))
        os.chmod(f.name, 0o600)
        done = subprocess.run(
            [MALOTED, "--config", f.name, "--check"], text=True,
            capture_output=True, timeout=90 * PATIENCE, check=False,
            env={**os.environ, "STATE_DIRECTORY": tmp + "/state"})
        return done.returncode, done.stdout + done.stderr

    def complains(self, words, *blocks, **more):
        code, said = self.check(*blocks, **more)
        assert code == 78 and words in said, (code, said)

    def warns(self, words, *blocks, **more):
        code, said = self.check(*blocks, **more)
        assert code == 0 and words in said, (code, said)


@pytest.fixture
def site(place, serve, certs):
    os.makedirs(place.path + "/state", exist_ok=True)
    return Check(place, serve, certs)


@pytest.fixture(scope="module")
def issuer(certs):
    one = Issuer(certs.context("good"), ("RS256",))
    yield one
    one.stop()


def test_all_is_well(site, issuer, fresh):  # noqa: F811
    shown = fresh(shown=True)
    code, said = site.check(site.file_block(issuer), shown_block(
        site, shown, "shown"))
    assert code == 0 and "oauth" not in said, said
    code, said = site.check(site.url_block(issuer))
    assert code == 0 and "oauth" not in said, said


def test_settings(site, issuer):
    good = site.file_block(issuer)
    block = issuer.block
    keys = site.path("keys-test")
    site.complains("write a block oauth")
    site.complains("does not say who signs", block(None, keys=keys,
                                                   issuer=None))
    site.complains("tokens that were given for any other service",
                   block(None, keys=keys, audience=None))
    site.complains("does not say how to look at a token",
                   block(None, keys=None))
    site.complains("has two ways", block(
        None, keys=keys, introspection="https://localhost/x"))
    site.complains("could also sign by HS256", block(
        None, keys=keys, algorithms="RS256 HS256"))
    site.complains("could also sign by none", block(
        None, keys=keys, algorithms="none"))
    site.complains("there is no RS1; write some of: RS256", block(
        None, keys=keys, algorithms="RS1"))
    site.complains("algorithms names none", block(
        None, keys=keys, algorithms=" "))
    site.complains("begin it with /, or with https://", block(
        None, keys="http://localhost/keys"))
    site.complains("has the issuer of", good, block(None, "b", keys=keys))
    site.complains("no address to which tokens", block(
        None, keys=None, introspection="http://localhost/x"))
    site.complains("somebody whom the issuer knows", block(
        None, keys=None, introspection="https://localhost/x"))
    site.complains("no URL of https", block(
        None, keys=keys, openid_configuration="ftp://x"))
    site.complains("ca_file", block(None, keys=keys, ca_file="/no/such"))
    site.complains("too many blocks oauth", *[
        block(None, "x%d" % n, keys=keys, issuer="https://x%d" % n)
        for n in range(5)])
    site.warns("nobody takes tokens", good, mechanisms="PLAIN")


def test_keys(site, issuer):
    key = new_key("RS256", "a").as_dict(is_private=False)
    for text, words in (("nonsense", "no JSON"), ("{}", "no set of keys"),
                        (json.dumps({"keys": []}), "no key that could"),
                        (json.dumps({"keys": [{**key, "use": "enc"}]}),
                         "no key that could")):
        site.complains(words, issuer.block(None, keys=site.write("k", text)))
    site.complains("No such file", issuer.block(None, keys="/no/such/file"))
    block = site.write("block.conf", "\n" + issuer.block(
        None, keys=site.write("k", "{")))
    os.chmod(block, 0o600)
    end = open(block, encoding="utf-8").read().rstrip().count("\n") + 1
    site.complains("%s:%d: oauth \"test\": %s/k: it is no JSON" % (
        block, end, site.place.path), 'include "block.conf"\n')


def test_issuer_is_asked(site, fresh, certs):  # noqa: F811
    issuer = fresh(("RS256",))
    site.warns("ca_file", issuer.block(None))
    issuer.published = "nonsense"
    site.complains("no JSON", site.url_block(issuer))
    issuer.published = None
    issuer.faults["/keys"] = issuers.Response("no", 404)
    site.warns("HTTP 404", site.url_block(issuer))
    issuer.stop()
    site.warns("it cannot be asked now", site.url_block(issuer))


def test_introspection_is_asked(site, fresh):  # noqa: F811
    shown = fresh(shown=True)
    block = shown_block(site, shown)
    site.write("secret", "wrong\n")
    site.complains("does not know client_id with that secret", block)
    site.write("secret", "\n")
    site.complains("there is nothing in it", block)
    site.write("secret", issuers.SECRET)
    os.chmod(site.path("secret"), 0o644)
    site.warns("others may read the secret", block)
    os.chmod(site.path("secret"), 0o600)
    shown.faults["/introspect"] = issuers.Response("{}", 200)
    site.complains("whether a token is active", block)
