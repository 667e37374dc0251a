"""An authorisation server: Authlib's, by Flask, with TLS, on a free port.

It knows one client and one person, "ana", and keeps all that it was asked.
Faults replace what it would answer.  It stands in for the great ones, too, with
their paths, and with what they document that they want.
"""
import threading
import time

from dataclasses import dataclass, field

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import grants
from authlib.oauth2.rfc6749.errors import OAuth2Error
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oauth2 import rfc8628
from flask import Flask, Response, request
from werkzeug.serving import WSGIRequestHandler, make_server

from server import free_port

ID, SECRET, USER = "malote-test", "s3cret-of-the-client", "ana@example.org"
SCOPE = "mail offline_access"
METHODS = ["client_secret_post", "none"]


class Client:
    client_id = ID

    def __init__(self, public=False):
        self.public = public

    def get_client_id(self):
        return ID

    def get_default_redirect_uri(self):
        return None

    def get_allowed_scope(self, scope):
        return scope

    def check_redirect_uri(self, uri):
        """Any port of this computer (RFC 8252 s7.3)."""
        return uri.startswith(("http://127.0.0.1:", "http://localhost:"))

    def check_client_secret(self, secret):
        return secret == SECRET

    def check_endpoint_auth_method(self, method, endpoint):
        return method == ("none" if self.public else "client_secret_post")

    def check_response_type(self, kind):
        return kind == "code"

    def check_grant_type(self, kind):
        return True


@dataclass
class Person:
    name: str = USER

    def get_user_id(self):
        return self.name


@dataclass
class Token:
    access: str
    refresh: str
    scope: str
    until: float
    user: Person
    revoked: bool = False

    def check_client(self, client):
        return True

    def get_scope(self):
        return self.scope

    def get_expires_in(self):
        return None

    def is_expired(self):
        return time.time() > self.until

    def is_revoked(self):
        return self.revoked


@dataclass
class Code:
    code: str
    redirect_uri: str
    scope: str
    code_challenge: str
    code_challenge_method: str
    user: Person
    device: dict = field(default_factory=dict)

    def get_redirect_uri(self):
        return self.redirect_uri

    def get_scope(self):
        return self.scope


class Provider:
    """lifetime: seconds of an access token; rotates: a refresh token is good
    for once; slows: how often a device is told to slow down; public: its client
    has no secret; offline: what the query must hold for a refresh token."""

    def __init__(self, context, lifetime=3600, rotates=False, slows=0,
                 public=False, offline=()):
        self.public, self.offline = public, set(offline)
        self.lifetime, self.rotates, self.slows = lifetime, rotates, slows
        self.interval, self.device_life = 1, 60
        self.allows, self.state, self.delay = True, None, 0
        self.tokens, self.codes, self.devices = [], {}, {}
        self.asked = []    # (path, form or query)
        self.faults = {}   # path: what is answered, a few times
        self.grants = {}   # user code: is it allowed?
        self.port = free_port()
        self.url = "https://localhost:%d" % self.port
        self.app = self._app()
        self.server = make_server("127.0.0.1", self.port, self.app,
                                  threaded=True, ssl_context=context,
                                  request_handler=Quiet)
        self.thread = threading.Thread(target=self.server.serve_forever,
                                       daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.thread.join(10)
        self.server.server_close()

    # What tests say and ask.

    def fault(self, path, body, status=200, times=1, **headers):
        self.faults[path] = [times, Response(
            body, status, {k.replace("_", "-"): v
                           for k, v in headers.items()})]

    def is_good(self, user, access):
        """As a mail server asks it."""
        return any(t.access == access and not t.is_expired()
                   and not t.revoked and user in (t.user.name, None)
                   for t in self.tokens)

    def revoke(self):
        for token in self.tokens:
            token.revoked = True

    def expire(self):
        """Access tokens only; nobody has been told."""
        for token in self.tokens:
            token.until = 0

    def forms(self, path):
        return [form for where, form in self.asked if where == path]

    def grant_types(self):
        return [form["grant_type"] for form in self.forms("/token")]

    # What it is.

    def _app(self):
        app = Flask("provider")
        app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True
        server = AuthorizationServer(app, self._client, self._save)
        provider = self

        class ByCode(grants.AuthorizationCodeGrant):
            TOKEN_ENDPOINT_AUTH_METHODS = METHODS

            def save_authorization_code(self, code, asked):
                provider.codes[code] = Code(
                    code, asked.redirect_uri, asked.scope,
                    asked.data.get("code_challenge"),
                    asked.data.get("code_challenge_method"), asked.user)

            def query_authorization_code(self, code, client):
                return provider.codes.get(code)

            def delete_authorization_code(self, code):
                provider.codes.pop(code.code)

            def authenticate_user(self, code):
                return code.user

        class ByRefresh(grants.RefreshTokenGrant):
            TOKEN_ENDPOINT_AUTH_METHODS = METHODS
            INCLUDE_NEW_REFRESH_TOKEN = True

            def __init__(self, *args):
                super().__init__(*args)
                self.INCLUDE_NEW_REFRESH_TOKEN = provider.rotates

            def authenticate_refresh_token(self, text):
                for token in provider.tokens:
                    if token.refresh == text and not token.revoked:
                        return token
                return None

            def authenticate_user(self, token):
                return token.user

            def revoke_old_credential(self, token):
                token.revoked = provider.rotates

        class ByClient(grants.ClientCredentialsGrant):
            TOKEN_ENDPOINT_AUTH_METHODS = METHODS

        class ByDevice(rfc8628.DeviceCodeGrant):
            TOKEN_ENDPOINT_AUTH_METHODS = METHODS

            def query_device_credential(self, code):
                return provider.devices.get(code)

            def query_user_grant(self, code):
                if code not in provider.grants:
                    return None
                return Person(), provider.grants[code]

            def should_slow_down(self, _):
                provider.slows -= 1
                return provider.slows >= 0

        class Device(rfc8628.DeviceAuthorizationEndpoint):
            CLIENT_AUTH_METHODS = METHODS

            def get_verification_uri(self):
                return provider.url + "/device"

            def create_endpoint_response(self, asked):
                self.INTERVAL = provider.interval
                self.EXPIRES_IN = provider.device_life
                return super().create_endpoint_response(asked)

            def save_device_credential(self, client_id, scope, data):
                provider.devices[data["device_code"]] = \
                    rfc8628.DeviceCredentialDict({
                        "client_id": client_id, "scope": scope,
                        "expires_at": time.time() + data["expires_in"],
                        **data})

        class Introspect(IntrospectionEndpoint):
            CLIENT_AUTH_METHODS = ["client_secret_post", "none"]

            def authenticate_endpoint_client(self, _):
                return Client(provider.public)

            def check_permission(self, token, client, asked):
                return True

            def query_token(self, text, _):
                for token in provider.tokens:
                    if token.access == text:
                        return token
                return None

            def introspect_token(self, token):
                return {"active": provider.is_good(None, token.access),
                        "username": token.user.name, "email":
                        token.user.name, "client_id": ID,
                        "scope": token.scope}

        server.register_grant(ByCode, [CodeChallenge(required=True)])
        for kind in (ByRefresh, ByClient, ByDevice):
            server.register_grant(kind)
        server.register_endpoint(Device)
        server.register_endpoint(Introspect)

        @app.before_request
        def note():
            provider.asked.append((request.path, {
                **request.args.to_dict(), **request.form.to_dict()}))
            fault = provider.faults.get(request.path)
            if fault and fault[0] > 0:
                fault[0] -= 1
                return fault[1]
            return None

        @app.get("/authorize")
        @app.get("/o/oauth2/v2/auth")
        @app.get("/common/oauth2/v2.0/authorize")
        @app.get("/oauth2/request_auth")
        @app.get("/oauth/authorize")
        def authorize():
            try:
                server.get_consent_grant(end_user=Person())
            except OAuth2Error as error:
                return str(error.error), 400
            answer = server.create_authorization_response(
                grant_user=Person() if provider.allows else None)
            if provider.state is not None:
                answer.headers["Location"] = answer.headers[
                    "Location"].replace("state=", "state=" + provider.state)
            return answer

        @app.post("/token")
        @app.post("/common/oauth2/v2.0/token")
        @app.post("/oauth2/get_token")
        @app.post("/oauth/refresh")
        def token():
            answer = server.create_token_response()
            time.sleep(provider.delay)
            return answer

        @app.post("/devicecode")
        @app.post("/common/oauth2/v2.0/devicecode")
        def device():
            return server.create_endpoint_response(Device.ENDPOINT_NAME)

        @app.post("/introspect")
        def introspect():
            return server.create_endpoint_response(
                Introspect.ENDPOINT_NAME)

        @app.get("/introspect")
        def introspect_by_get():
            """As Dovecot's "introspection_mode = get" asks."""
            held = request.headers.get("Authorization", "")[7:] or \
                request.args.get("token", "")
            return {"active": provider.is_good(None, held), "email": USER,
                    "username": USER}

        return app

    def _wanted(self):
        """What the person's browser, or the device, has asked for."""
        return {word for path, form in self.asked if "/token" not in path
                for key, value in form.items()
                for word in (*value.split(), "%s=%s" % (key, value))}

    def _client(self, client_id):
        return Client(self.public) if client_id == ID else None

    def _save(self, token, asked):
        token["expires_in"] = self.lifetime
        if not self.offline <= self._wanted():
            token.pop("refresh_token", None)
        refresh = token.get("refresh_token")
        if refresh is None and asked.credential is not None and \
                isinstance(asked.credential, Token):
            refresh = asked.credential.refresh
        self.tokens.append(Token(
            token["access_token"], refresh, token.get("scope", ""),
            time.time() + self.lifetime, asked.user or Person()))

    def settings(self, ca, **more):
        """A block oauth of malote's configuration."""
        return {"client_id": ID, "client_secret": SECRET,
                "authorization_url": self.url + "/authorize",
                "token_url": self.url + "/token",
                "device_url": self.url + "/devicecode",
                "scope": SCOPE, "ca_file": ca, **more}


class Quiet(WSGIRequestHandler):
    def log(self, *_):
        pass
