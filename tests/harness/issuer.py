"""An authorisation server whose tokens a mail server is to look at: Authlib's, by
Flask, with TLS, on a free port.

It signs access tokens, publishes the keys for that, and answers who asks whether a
token is good.  Its keys change when a test says so, and faults replace what it
would answer.
"""
import base64
import json
import threading
import time

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.jose import JsonWebKey, JsonWebSignature, OKPKey, jwt
from authlib.oauth2.rfc6749 import grants
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from flask import Flask, Response, request
from werkzeug.serving import make_server

from provider import Quiet
from server import free_port

AUDIENCE, SCOPE = "mail.example.org", "mail openid"
ID, SECRET = "mail-server", "s3cret-of_the.server"
KEYS = {"RS256": ("RSA", 2048), "PS256": ("RSA", 2048), "ES256": ("EC", "P-256"),
        "ES384": ("EC", "P-384"), "ES512": ("EC", "P-521"),
        "EdDSA": ("OKP", "Ed25519")}


def new_key(algorithm, kid):
    kind, size = KEYS[algorithm]
    if kind == "OKP":
        return OKPKey.generate_key(size, {"kid": kid}, is_private=True)
    return JsonWebKey.generate_key(kind, size, {"kid": kid}, is_private=True)


def part(thing):
    """A part of a token, of octets or of what JSON can say."""
    if not isinstance(thing, bytes):
        thing = json.dumps(thing).encode()
    return base64.urlsafe_b64encode(thing).rstrip(b"=").decode()


class Person:
    def __init__(self, name):
        self.name = name

    def get_user_id(self):
        return self.name


class Client:
    """Whom people use to get a token; and the mail server, who asks about them."""
    client_id = ID

    def get_allowed_scope(self, scope):
        return scope

    def check_client_secret(self, secret):
        return secret == SECRET

    def check_endpoint_auth_method(self, method, endpoint):
        return method in ("client_secret_basic", "client_secret_post")

    def check_grant_type(self, kind):
        return kind == "password"


class Given:
    def __init__(self, text):
        self.text = text

    def is_expired(self):
        return False

    def is_revoked(self):
        return False


class Issuer:
    def __init__(self, context, kinds=("RS256", "ES256", "EdDSA"), shown=False):
        """shown: tokens are good for nothing but to be shown to it."""
        self.port = free_port()
        self.url = "https://localhost:%d" % self.port
        self.context, self.shown = context, shown
        self.serial, self.keys, self.old = 0, {}, []
        self.published = None       # what /keys says instead
        self.delay = 0              # seconds before each answer
        self.held = None            # an event that each answer waits for
        self.asked, self.given = [], {}
        self.faults = {}            # path: an answer
        self.headers = {}           # of /keys
        self.answer_more = {}       # what introspection says, too
        self.server = self.thread = None
        for kind in kinds:
            self.rotate(kind)
        self.app = self._app()
        self.start()

    def start(self):
        self.server = make_server("127.0.0.1", self.port, self.app,
                                  threaded=True, ssl_context=self.context,
                                  request_handler=Quiet)
        self.thread = threading.Thread(target=self.server.serve_forever,
                                       daemon=True)
        self.thread.start()

    def stop(self):
        if self.server is None:
            return
        self.server.shutdown()
        self.thread.join(10)
        self.server.server_close()
        self.server = None

    # Its keys.

    def rotate(self, kind="RS256"):
        """Signs by a new key from now on; the old one stays published."""
        if kind in self.keys:
            self.old.append(self.keys[kind])
        self.serial += 1
        self.keys[kind] = new_key(kind, "key-%d" % self.serial)
        return self.keys[kind]

    def key_set(self):
        return {"keys": [key.as_dict(is_private=False) for key in
                         [*self.keys.values(), *self.old]]}

    def asked_for(self, path):
        return self.asked.count(path)

    # Its tokens.

    def claims(self, user, **more):
        now = int(time.time())
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": "id-of-" + user,
                  "email": user, "email_verified": True, "scope": SCOPE,
                  "iat": now, "nbf": now, "exp": now + 600, **more}
        return {k: v for k, v in claims.items() if v is not None}

    def sign(self, claims, kind="RS256", key=None, **header):
        key = key or self.keys[kind]
        header = {"alg": kind, "kid": key.kid, "typ": "at+jwt", **header}
        header = {k: v for k, v in header.items() if v is not None}
        if isinstance(claims, bytes):
            return JsonWebSignature().serialize_compact(
                header, claims, key).decode()
        return jwt.encode(header, claims, key).decode()

    def token(self, user, kind="RS256", key=None, header=(), **more):
        """As anybody could make one who has the key."""
        return self.sign(self.claims(user, **more), kind, key, **dict(header))

    def issue(self, user):
        """As a client gets one (RFC 6749 s4.3)."""
        with self.app.test_client() as client:
            got = client.post("/token", base_url=self.url, data={
                "grant_type": "password", "username": user, "password": "x",
                "scope": SCOPE}, auth=(ID, SECRET))
            assert got.status_code == 200, got.data
            return got.json["access_token"]

    def is_good(self, token):
        return token in self.given and self.given[token]["exp"] > time.time()

    # What it is.

    def _app(self):
        app = Flask("issuer")
        issuer = self

        def generate(user=None, scope=None, **_):
            if issuer.shown:
                return "opaque-%d-%s" % (len(issuer.given), user.name)
            return issuer.token(user.name, scope=scope)

        app.config["OAUTH2_ACCESS_TOKEN_GENERATOR"] = generate

        def save(token, asked):
            issuer.given[token["access_token"]] = {
                "exp": time.time() + token["expires_in"],
                "user": asked.user.name, "scope": token.get("scope", "")}

        server = AuthorizationServer(
            app, lambda name: Client() if name == ID else None, save)

        class ByPassword(grants.ResourceOwnerPasswordCredentialsGrant):
            TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic"]

            def authenticate_user(self, name, password):
                return Person(name)

        class Introspect(IntrospectionEndpoint):
            CLIENT_AUTH_METHODS = ["client_secret_basic"]

            def check_permission(self, token, client, asked):
                return True

            def query_token(self, text, _):
                return Given(text) if issuer.is_good(text) else None

            def introspect_token(self, given):
                token = issuer.given[given.text]
                return {"active": True, "username": token["user"],
                        "sub": "id-of-" + token["user"],
                        "client_id": ID, "scope": token["scope"],
                        "iss": issuer.url, "aud": AUDIENCE,
                        "exp": int(token["exp"]), **issuer.answer_more}

        server.register_grant(ByPassword)
        server.register_endpoint(Introspect)

        @app.before_request
        def note():
            issuer.asked.append(request.path)
            time.sleep(issuer.delay)
            if issuer.held:
                issuer.held.wait(60)
            return issuer.faults.get(request.path)

        @app.post("/token")
        def token():
            return server.create_token_response()

        @app.get("/keys")
        def keys():
            said = issuer.published or json.dumps(issuer.key_set())
            return Response(said, 200, headers=issuer.headers,
                            mimetype="application/jwk-set+json")

        @app.post("/introspect")
        def introspect():
            return server.create_endpoint_response(Introspect.ENDPOINT_NAME)

        return app

    def block(self, ca, name="test", **more):
        """A block oauth of maloted.conf; None leaves a setting out."""
        rows = {"issuer": self.url, "audience": AUDIENCE, "ca_file": ca}
        if self.shown:
            rows["introspection"] = self.url + "/introspect"
            rows["client_id"] = ID
        else:
            rows["keys"] = self.url + "/keys"
        rows = {**rows, **more}
        return 'oauth "%s" {\n%s}\n' % (name, "".join(
            '\t%s = "%s"\n' % row for row in rows.items()
            if row[1] is not None))
