"""A stand-in for a JMAP server (RFC 8620, 8621), with TLS, on a free port, for
what Cyrus does not do by itself: limits, errors, and lines that break.

    api = jmap_api.Api(certs)
    api.texts()                          # the messages
    api.fault("Email/import", 503)       # see gmail_api, whose faults it takes
    api.refuse = lambda octets: "overQuota"     # a SetError for this message
"""
import base64
import hashlib
import json
import urllib.parse

import gmail_api
from gmail_api import Refused

USER, PASSWORD = "ana@example.org", "hush"
CORE, MAIL = "urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail"
PROBLEM = "urn:ietf:params:jmap:error:"
PATHS = {("GET", "/.well-known/jmap"): "moved", ("GET", "/session"): "session",
         ("POST", "/upload/A1/"): "upload", ("POST", "/api"): "api"}


class MethodError(Exception):
    """kind, and more of it."""


class Api(gmail_api.Api):
    """twins: what is the same twice is one message, as Cyrus has it."""

    def __init__(self, certs):
        self.boxes = [{"id": "Mb1", "name": "Eingang", "role": "inbox",
                       "parentId": None},
                      {"id": "Mb2", "name": "Lists", "role": None,
                       "parentId": None},
                      {"id": "Mb3", "name": "debian", "role": None,
                       "parentId": "Mb2"}]
        self.blobs, self.core, self.twins = {}, {}, False
        self.refuse = lambda octets: None
        self.readonly = False
        super().__init__(certs, USER)

    def settings(self, port=None, **more):
        return {"password": PASSWORD, "ca_file": self.certs.ca,
                "url": "https://localhost:%d/.well-known/jmap" % (
                    port or self.port), **more}

    def texts(self, box="Mb1"):
        return [m["raw"].replace(b"\r\n", b"\n") for m in self.messages
                if box in m["boxes"] and not m.get("deleted")]

    def name(self, method, path):
        path = urllib.parse.urlsplit(path).path
        if method == "GET" and path.startswith("/download/A1/"):
            return "download"
        return PATHS.get((method, path))

    def answer(self, method, path, headers, body):
        name = self.name(method, path)
        if name == "moved":
            return 301, {"Location": "/session"}, b""
        call = None
        if name == "api":
            try:
                asked = json.loads(body)
                assert set(asked["using"]) == {CORE, MAIL}
                (call,) = asked["methodCalls"]
                name = call[0]
            except (ValueError, KeyError, AssertionError):
                return 400, {}, json.dumps(
                    {"type": PROBLEM + "notRequest", "status": 400}).encode()
        what, more = self.take(name)
        self.asked.append((name, call and call[1]))
        try:
            if what == gmail_api.HANG:
                self.over.wait(60)
                raise gmail_api.Break
            if what == gmail_api.CUT_READ:
                raise gmail_api.Break
            if isinstance(what, int):
                raise Refused(what, **more)
            self.sign_in(headers)
            status, text = self.run(name, call, headers, body, path, what,
                                    more)
        except Refused as r:
            return r.status, r.headers, r.body if r.body is not None else \
                json.dumps({"type": PROBLEM + r.reason if r.status == 400
                            else "about:blank", "status": r.status,
                            "detail": r.words}).encode()
        if what in (gmail_api.CUT_STORED, gmail_api.HANG_STORED):
            if what == gmail_api.HANG_STORED:
                self.over.wait(60)
            raise gmail_api.Break
        if what == gmail_api.STORED_503:
            return 503, {}, b"no"
        if what == gmail_api.CUT_ANSWER:
            self.cuts_answers += 1
        if what == "say":
            return 200, {}, more["body"]
        if self.on and self.on(len(self.asked)):
            raise gmail_api.Break
        return status, {"Content-Type": "application/json"}, text

    def sign_in(self, headers):
        kind, _, value = headers.get("Authorization", "").partition(" ")
        if kind == "Bearer":
            good = value in self.tokens
        else:
            good = kind == "Basic" and base64.b64decode(value).decode() == \
                "%s:%s" % (USER, PASSWORD)
        if not good:
            raise Refused(401, "unauthorized", "who is that")

    def run(self, name, call, headers, body, path, what, more):
        if name == "session":
            return 200, json.dumps(self.session()).encode()
        if name == "upload":
            assert headers["Content-Type"] == "message/rfc822"
            if len(body) > self.core.get("maxSizeUpload", 1 << 40):
                raise Refused(413, "limit")
            blob = "B" + hashlib.sha1(body).hexdigest()
            self.blobs[blob] = body
            return 201, json.dumps({"accountId": "A1", "blobId": blob, "type":
                                    "message/rfc822",
                                    "size": len(body)}).encode()
        if name == "download":
            blob = path.split("/")[3]
            if blob not in self.blobs:
                raise Refused(404, "notFound")
            return 200, self.blobs[blob]
        if name is None:
            raise Refused(404, "notFound")
        if isinstance(what, str) and what.startswith("error "):
            said = ["error", {"type": what[6:], **more}, call[2]]
        else:
            try:
                assert call[1]["accountId"] == "A1"
                said = [name, {"accountId": "A1", **getattr(
                    self, "do_" + name.replace("/", "_").lower())(call[1])},
                    call[2]]
            except MethodError as e:
                said = ["error", {"type": e.args[0]}, call[2]]
        return 200, json.dumps({"methodResponses": [said],
                                "sessionState": "s"}).encode()

    def session(self):
        return {"capabilities": {CORE: self.core, MAIL: {}}, "accounts":
                {"A1": {"name": USER, "isPersonal": True,
                        "isReadOnly": self.readonly,
                        "accountCapabilities": {MAIL: {}}}},
                "primaryAccounts": {MAIL: "A1"}, "username": USER,
                "apiUrl": "/api", "uploadUrl": self.base() + "/upload/"
                "{accountId}/", "downloadUrl": "/download/{accountId}/"
                "{blobId}/{name}?type={type}", "state": "s"}

    def base(self):
        return "https://localhost:%d" % self.port

    # Methods.

    def do_mailbox_get(self, args):
        assert args["ids"] is None
        return {"state": "s", "list": self.boxes, "notFound": []}

    def do_mailbox_set(self, args):
        (key, made), = args["create"].items()
        box = {"id": "Mb%d" % (len(self.boxes) + 1), "role": None, **made}
        self.boxes.append(box)
        return {"created": {key: {"id": box["id"]}}}

    def do_email_get(self, args):
        found = [m for m in self.messages if m["id"] in args["ids"]
                 and not m.get("deleted")]
        return {"state": "s%d" % self.count, "notFound": [], "list": [
            {"id": m["id"], "blobId": m["blob"], "size": len(m["raw"]),
             "messageId": [self.header(m)["Message-ID"].strip("<>")]
             if self.header(m)["Message-ID"] else None} for m in found]}

    def do_email_import(self, args):
        made, not_made = {}, {}
        if len(args["emails"]) > self.core.get("maxObjectsInSet", 1 << 20):
            raise MethodError("requestTooLarge")
        for key, one in args["emails"].items():
            raw = self.blobs.get(one["blobId"])
            why = "invalidProperties" if raw is None else self.refuse(raw)
            twin = [m for m in self.messages if m["blob"] == one["blobId"]]
            if raw is None:
                not_made[key] = {"type": why, "properties": ["blobId"]}
            elif why:
                not_made[key] = {"type": why, "description": "as it is"}
            elif self.twins and twin:
                not_made[key] = {"type": "alreadyExists",
                                 "existingId": twin[0]["id"]}
            else:
                known = {b["id"] for b in self.boxes}
                assert set(one["mailboxIds"]) <= known
                self.count += 7
                self.messages.append({
                    "id": "M%d" % self.count, "blob": one["blobId"],
                    "raw": raw, "boxes": one["mailboxIds"], "at": self.count,
                    "keywords": one["keywords"],
                    "received": one.get("receivedAt")})
                made[key] = {"id": "M%d" % self.count, "threadId": "T",
                             "blobId": one["blobId"], "size": len(raw)}
        return {"created": made, "notCreated": not_made}

    def do_email_changes(self, args):
        since = int(args["sinceState"][1:])
        if since < self.oldest:
            raise MethodError("cannotCalculateChanges")
        found = [m for m in self.messages if m["at"] > since]
        part = found[:3]
        return {"oldState": args["sinceState"], "newState": "s%d" % (
            part[-1]["at"] if len(found) > 3 else self.count),
            "hasMoreChanges": len(found) > 3, "created": [
                m["id"] for m in part if not m.get("deleted")
                or m.get("told")], "updated": [], "destroyed": []}

    def do_email_query(self, args):
        name, value = args["filter"]["header"]
        return {"ids": [m["id"] for m in self.messages
                        if value in (self.header(m)[name] or "")
                        and not m.get("deleted")]}
