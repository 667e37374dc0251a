"""A stand-in for Gmail's API, with TLS, on a free port: as much of it as is
needed to put messages into a mailbox, after Google's reference of REST v1.

    api = gmail_api.Api(certs)
    api.texts()                     # the messages, as they were put there
    api.fault("import", 503)        # the next import is answered so
    api.fault("import", gmail_api.CUT_STORED)   # it is there, and nobody says so

It keeps to the contract: who may do what by which scope, parameters that are
wrong are refused, and a message is there once its request is whole.  As Gmail
does, it puts a line of its own above each."""
import base64
import email.parser
import http.server
import json
import re
import socket
import threading
import time
import urllib.parse

from server import free_port

USER = "ana@gmail.com"
AUTH = "https://www.googleapis.com/auth/gmail."
INSERT, READONLY, LABELS = (AUTH + x for x in ("insert", "readonly", "labels"))
MODIFY, ALL = AUTH + "modify", "https://mail.google.com/"
SCOPES = {
    "import": {INSERT, MODIFY, ALL}, "profile": {READONLY, MODIFY, ALL},
    "history": {READONLY, MODIFY, ALL}, "list": {READONLY, MODIFY, ALL},
    "get": {READONLY, MODIFY, ALL},
    "labels.list": {READONLY, MODIFY, LABELS, ALL},
    "labels.create": {MODIFY, LABELS, ALL}}
ABOVE = (b"Received: from 4711 named unknown by gmailapi.google.com with "
         b"HTTPREST;\r\n\tSun, 4 Jan 2026 01:02:03 +0000\r\n")
LARGEST = 150 * 1000 * 1000
SYSTEM = ["INBOX", "UNREAD", "STARRED", "SPAM", "TRASH"]
# What may stand for a status in a fault: the line breaks with half the request
# read, with all of it read, or with the message stored; it is stored, and an
# error is answered; nothing is answered.
CUT_HALF, CUT_READ, CUT_STORED, CUT_ANSWER, STORED_503, HANG, HANG_STORED = (
    "cut half", "cut read", "cut stored", "cut answer", "stored 503", "hang",
    "hang stored")
REASONS = {400: "badRequest", 401: "authError", 403: "rateLimitExceeded",
           404: "notFound", 413: "uploadTooLarge", 429: "rateLimitExceeded",
           500: "backendError", 503: "backendError"}


class Refused(Exception):
    def __init__(self, status, reason=None, words="as the test wants it",
                 headers=(), body=None):
        super().__init__(status)
        self.status, self.reason = status, reason or REASONS.get(status, "x")
        self.words, self.headers, self.body = words, dict(headers), body


class Break(Exception):
    """The line is closed without an answer."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_):
        pass

    def do_GET(self):
        self._run(b"")

    def do_POST(self):
        n = int(self.headers["Content-Length"])
        name = self.server.api.name("POST", self.path)
        if self.server.api.next_is(name, CUT_HALF):
            self.server.api.take(name)
            self.rfile.read(n // 2)
            self._end()
            return
        self._run(self.rfile.read(n))

    def _end(self):
        self.close_connection = True
        if not self.server.api.gently:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       b"\1\0\0\0\0\0\0\0")
        self.connection.close()

    def _run(self, body):
        api = self.server.api
        try:
            status, headers, text = api.answer(self.command, self.path,
                                               self.headers, body)
        except Break:
            self._end()
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if api.cuts_answers > 0:
            api.cuts_answers -= 1
            self.wfile.write(text[:len(text) // 2])
            self.wfile.flush()
            self._end()
            return
        self.wfile.write(text)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


class Api:
    """tokens: {access token: (who, scopes)}, or a function of one."""

    def __init__(self, certs, user=USER):
        self.certs, self.user = certs, user
        self.tokens = {"good": (user, {INSERT, READONLY, LABELS})}
        self.labels = {"Label_1": "Old"}
        self.messages, self.asked, self.faults = [], [], []
        self.count, self.oldest, self.cuts_answers = 1000, 0, 0
        self.on, self.per_second, self.times = None, None, []
        self.gently = False  # a line that is cut is closed, and not reset
        self.change = lambda raw: raw
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.port = free_port()
        self.url = "https://localhost:%d" % self.port
        self.start()

    def start(self):
        self.server = Server(("127.0.0.1", self.port), Handler)
        self.server.api = self
        self.server.socket = self.certs.context().wrap_socket(
            self.server.socket, server_side=True,
            do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.server.serve_forever,
                                       args=(0.05,), daemon=True)
        self.thread.start()

    def stop(self):
        if self.thread is not None:
            self.server.shutdown()
            self.thread.join(10)
            self.server.server_close()
        self.thread = None

    def end(self):
        self.over.set()
        self.stop()

    # What tests say and ask.

    def fault(self, name, what, times=1, **more):
        """what: a status, or one of CUT_... and so on."""
        self.faults.append([name, what, times, more])

    def texts(self, label="INBOX"):
        """With LF, without what was put above."""
        return [self.own(m["raw"]) for m in self.messages
                if self.label_id(label) in m["labels"]]

    def own(self, raw):
        assert raw.startswith(ABOVE)
        return raw[len(ABOVE):].replace(b"\r\n", b"\n")

    def label_id(self, name):
        for key, value in self.labels.items():
            if value == name:
                return key
        return name

    def calls(self, name):
        return [query for which, query in self.asked if which == name]

    def forget(self):
        """What it knows of the past; the numbers go on."""
        self.count += 1
        self.oldest = self.count

    def settings(self, port=None, **more):
        """A block destination of malote's configuration."""
        return {"token_command": "echo good", "ca_file": self.certs.ca,
                "url": "https://localhost:%d" % (port or self.port), **more}

    # What it is.

    def name(self, method, path):
        path = urllib.parse.urlsplit(path).path
        user = "/gmail/v1/users/" + urllib.parse.quote(self.user, safe="")
        for verb, which, name in [
                ("POST", "/upload" + user + "/messages/import", "import"),
                ("GET", user + "/profile", "profile"),
                ("GET", user + "/history", "history"),
                ("GET", user + "/messages", "list"),
                ("GET", user + "/labels", "labels.list"),
                ("POST", user + "/labels", "labels.create")]:
            if (verb, which) == (method, path):
                return name
        if method == "GET" and path.startswith(user + "/messages/"):
            return "get"
        return None

    def next_is(self, name, what):
        with self.lock:
            return any(f[0] == name and f[2] > 0 and f[1] == what
                       for f in self.faults[:1])

    def take(self, name):
        """The fault that is due, if there is one."""
        with self.lock:
            for f in self.faults:
                if f[0] == name and f[2] > 0:
                    f[2] -= 1
                    if f[2] == 0:
                        self.faults.remove(f)
                    return f[1], f[3]
        return None, {}

    def answer(self, method, path, headers, body):
        name = self.name(method, path)
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query,
                                      strict_parsing=bool(
                                          urllib.parse.urlsplit(path).query))
        what, more = self.take(name)
        try:
            if name is None:
                self.check_user(path)
                raise Refused(404)
            self.asked.append((name, query))
            if what == HANG:
                self.over.wait(60)
                raise Break
            if what == CUT_READ:
                raise Break
            if isinstance(what, int):
                raise Refused(what, **more)
            self.check(name, headers)
            text = getattr(self, "do_" + name.replace(".", "_"))(
                query, headers, body, path)
            if what == HANG_STORED:
                self.over.wait(60)
            if what in (CUT_STORED, HANG_STORED):
                raise Break
            if what == STORED_503:
                raise Refused(503)
            if what == CUT_ANSWER:
                self.cuts_answers += 1
            if what == "say":
                return 200, {}, more["body"]
            if self.on and self.on(len(self.asked)):
                raise Break
            return 200, {"Content-Type": "application/json; charset=UTF-8"}, \
                json.dumps(text).encode()
        except Refused as r:
            return r.status, r.headers, r.body if r.body is not None else \
                json.dumps({"error": {
                    "code": r.status, "message": r.words,
                    "errors": [{"domain": "global", "reason": r.reason,
                                "message": r.words}]}}).encode()

    def check_user(self, path):
        found = re.match(r"(?:/upload)?/gmail/v1/users/([^/]+)/", path)
        if found:
            raise Refused(403, "forbidden", "Delegation denied for "
                          + urllib.parse.unquote(found.group(1)))

    def check(self, name, headers):
        kind, _, token = headers.get("Authorization", "").partition(" ")
        held = self.tokens(token) if callable(self.tokens) else \
            self.tokens.get(token)
        if kind != "Bearer" or held is None:
            raise Refused(401, "authError", "Invalid Credentials")
        who, scopes = held
        if who != self.user:
            raise Refused(403, "forbidden",
                          "Delegation denied for " + self.user)
        if not SCOPES[name] & set(scopes):
            raise Refused(403, "insufficientPermissions", "Request had "
                          "insufficient authentication scopes.")
        now = time.monotonic()
        with self.lock:
            self.times = [t for t in self.times if now - t < 1]
            if name == "import" and self.per_second and \
                    len(self.times) >= self.per_second:
                raise Refused(403, "userRateLimitExceeded",
                              "User Rate Limit Exceeded")
            if name == "import":
                self.times.append(now)

    def do_profile(self, query, headers, body, path):
        assert query == {}
        return {"emailAddress": self.user, "messagesTotal":
                len(self.messages), "threadsTotal": len(self.messages),
                "historyId": str(self.count)}

    def do_labels_list(self, query, headers, body, path):
        return {"labels": [{"id": x, "name": x, "type": "system"}
                           for x in SYSTEM]
                + [{"id": k, "name": v, "type": "user"}
                   for k, v in self.labels.items()]}

    def do_labels_create(self, query, headers, body, path):
        name = json.loads(body)["name"]
        if name.lower() in [x.lower() for x in self.labels.values()]:
            raise Refused(409, "aborted", "Label name exists or conflicts")
        key = "Label_%d" % (len(self.labels) + 1)
        self.labels[key] = name
        return {"id": key, "name": name}

    def do_import(self, query, headers, body, path):
        if query.get("uploadType") != ["multipart"] or \
                query.get("internalDateSource") != ["dateHeader"] or \
                query.get("processForCalendar") != ["false"] or \
                query.get("neverMarkSpam", [""])[0] not in ("true", "false"):
            raise Refused(400, words="bad parameters %r" % query)
        meta, raw = self.parts(headers["Content-Type"], body)
        if len(raw) > LARGEST:
            raise Refused(413)
        labels = json.loads(meta)["labelIds"]
        if not set(labels) <= set(SYSTEM) | set(self.labels):
            raise Refused(400, "invalidArgument", "Invalid label")
        with self.lock:
            self.count += 7
            message = {"id": "%016x" % (self.count * 65537), "labels": labels,
                       "raw": ABOVE + self.change(raw), "at": self.count,
                       "spam": query["neverMarkSpam"]}
            self.messages.append(message)
        return {"id": message["id"]}

    def parts(self, kind, body):
        found = re.fullmatch(r"multipart/related; boundary=(\w+)", kind)
        if not found:
            raise Refused(400, words="not multipart/related")
        mark = b"--" + found.group(1).encode()
        if not body.startswith(mark + b"\r\n") or \
                not body.endswith(b"\r\n" + mark + b"--\r\n"):
            raise Refused(400, words="not whole")
        inner = body[len(mark) + 2:-len(mark) - 6]
        meta, raw = inner.split(b"\r\n" + mark + b"\r\n", 1)
        one, text = meta.split(b"\r\n\r\n", 1)
        two, raw = raw.split(b"\r\n\r\n", 1)
        if one != b"Content-Type: application/json; charset=UTF-8" or \
                two != b"Content-Type: message/rfc822" or mark in raw:
            raise Refused(400, words="wrong parts")
        return text, raw

    def do_history(self, query, headers, body, path):
        since = int(query["startHistoryId"][0])
        if since < self.oldest:
            raise Refused(404, words="Requested entity was not found.")
        assert query["historyTypes"] == ["messageAdded"]
        found = [m for m in self.messages if m["at"] > since]
        answer = {"historyId": str(self.count)}
        start = int(query.get("pageToken", ["0"])[0])
        if found:
            answer["history"] = [
                {"id": str(m["at"]), "messages": [{"id": m["id"]}],
                 "messagesAdded": [{"message": {
                     "id": m["id"], "threadId": m["id"],
                     "labelIds": m["labels"]}}]}
                for m in found[start:start + 3]]
            if start + 3 < len(found):
                answer["nextPageToken"] = str(start + 3)
        return answer

    def do_list(self, query, headers, body, path):
        assert query["includeSpamTrash"] == ["true"]
        key, _, value = query["q"][0].partition(":")
        if key != "rfc822msgid":
            raise Refused(400, words="no such search")
        found = [{"id": m["id"], "threadId": m["id"]} for m in self.messages
                 if self.header(m).get("Message-ID") == "<%s>" % value
                 and not m.get("deleted")]
        return {"messages": found, "resultSizeEstimate": len(found)} \
            if found else {"resultSizeEstimate": 0}

    def header(self, message):
        return email.parser.BytesHeaderParser().parsebytes(message["raw"])

    def do_get(self, query, headers, body, path):
        key = urllib.parse.urlsplit(path).path.rpartition("/")[2]
        for m in self.messages:
            if m["id"] == key and not m.get("deleted"):
                break
        else:
            raise Refused(404, words="Requested entity was not found.")
        if query["format"] == ["raw"]:
            return {"raw": base64.urlsafe_b64encode(m["raw"]).decode()}
        assert query["format"] == ["metadata"]
        wanted = [x.lower() for x in query["metadataHeaders"]]
        return {"id": key, "sizeEstimate": len(m["raw"]), "payload": {
            "headers": [{"name": k, "value": v}
                        for k, v in self.header(m).items()
                        if k.lower() in wanted]}}
