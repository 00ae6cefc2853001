"""Schemathesis: real sessions of the sandbox, for each operation that of a role which may call it.

A fuzzer ends sessions, changes passwords and removes accounts: a session that is refused is replaced by one of a new
account, which the sandbox's control listener creates.
"""

import json
import os
import urllib.request

import schemathesis

API, CONTROL = os.environ["SHIKAKU_API"], os.environ["SHIKAKU_SANDBOX"]
tokens = {}


def ask(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.load(reply)


def token(role):
    if role not in tokens:
        account = ask(f"{CONTROL}/v1/accounts", {"role": role})
        code = ask(f"{CONTROL}/v1/accounts/{account['account']}/code")["code"]
        claim = {name: account[name] for name in ("institution_code", "account", "password")}
        tokens[role] = ask(f"{API}/v1/sessions", claim | {"code": code})["token"]
    return tokens[role]


def role_for(operation):
    roles = [role for scheme in operation.definition.raw.get("security", []) for role in scheme["bearer"]]
    return next((role for role in ("receipt_computer", "operator", "administrator") if role in roles), None)


@schemathesis.auth(refresh_interval=None)
class SandboxSession:
    def get(self, case, context):
        role = role_for(context.operation)
        return role and token(role)

    def set(self, case, data, context):
        if data:
            case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def before_call(context, case, kwargs):
    """Asks without waiting: a long poll would use the whole lane up. A wait that is not allowed stays as it is."""
    query = case.query or {}
    for name in ("wait", "wait_seconds"):
        if str(query.get(name, "")).isdigit() and 0 < int(query[name]) <= 60:
            query[name] = 0


@schemathesis.hook
def after_call(context, case, response):
    sent = response.request.headers.get("Authorization", "").removeprefix("Bearer ")
    ended = response.status_code == 401 or (response.status_code == 204 and "/sessions" in case.path)
    ended = ended or (response.status_code == 204 and case.path.endswith("/password"))
    for role in [role for role, known in tokens.items() if ended and known == sent]:
        del tokens[role]
