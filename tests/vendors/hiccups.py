"""A proxy that lets each kind of trouble that passes happen once: what a sample program has to live with.

hiccups.py API PORT. GET /hiccups tells which have not happened yet.
"""

import http.server
import json
import sys
import threading
import urllib.error
import urllib.request

API, PORT = sys.argv[1], int(sys.argv[2])
LOCK = threading.Lock()
# (method, path it begins with) -> (status, code, Retry-After), met once each.
TROUBLE = {
    ("POST", "/v1/sessions"): (429, "sign_in_delayed", 1),
    ("GET", "/v1/results/count"): (503, "too_many_connections", 1),
    ("GET", "/v1/results?"): (401, "session_required", None),
}
signed_in = []  # The one real sign-in: a second code would be due only in 30 seconds.


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, headers, body):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status not in (204, 304):
            self.wfile.write(body)

    def trouble(self):
        with LOCK:
            met = next((key for key in TROUBLE if key[0] == self.command and self.path.startswith(key[1])), None)
            return met and TROUBLE.pop(met)

    def serve(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        if self.path == "/hiccups":
            return self.answer(200, [], json.dumps(sorted(code for _, code, _ in TROUBLE.values())).encode())
        trouble = self.trouble()
        if trouble:
            status, code, after = trouble
            problem = {"type": f"urn:shikaku-bridge:problem:{code}", "title": "一時的な障害", "status": status,
                       "code": code, "guidance": "少し待ってください。", "who": "vendor"}
            headers = [("Content-Type", "application/problem+json")]
            return self.answer(status, headers + ([("Retry-After", str(after))] if after else []),
                               json.dumps(problem).encode())
        if self.path == "/v1/sessions" and signed_in:
            return self.answer(*signed_in[0])
        dropped = ("host", "connection", "content-length", "expect", "accept-encoding", "keep-alive")
        headers = {name: value for name, value in self.headers.items() if name.lower() not in dropped}
        request = urllib.request.Request(API + self.path, body, headers, method=self.command)
        try:
            reply = urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as error:
            reply = error
        kept = ("content-type", "etag", "retry-after", "date")
        whole = (reply.status, [pair for pair in reply.headers.items() if pair[0].lower() in kept], reply.read())
        if self.path == "/v1/sessions" and reply.status == 201:
            signed_in.append(whole)
        self.answer(*whole)

    do_GET = do_POST = do_PUT = do_DELETE = serve

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Proxy).serve_forever()
