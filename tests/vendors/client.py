"""The client that openapi-python-client makes of openapi.yaml, through the whole scenario."""

import importlib
import os
import pathlib
import pkgutil
import sys
import time

import shikaku_bridge_client as generated
import shikaku_bridge_client.api as api
from shikaku_bridge_client.models import CheckPhase, InquiryNumber, InquiryState, Method, NewCheck, PinEntry, Problem, SignIn

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "docs" / "samples"))
from sample import totp  # noqa: E402


def operations():
    """Every generated operation by its name; their packages are called like their tags, which are Japanese."""
    for package in pkgutil.iter_modules(api.__path__, api.__name__ + "."):
        for module in pkgutil.iter_modules(importlib.import_module(package.name).__path__, package.name + "."):
            yield module.name.rsplit(".", 1)[1], module.name


OPERATIONS = dict(operations())


def call(operation, *arguments, **named):
    answer = importlib.import_module(OPERATIONS[operation]).sync(*arguments, **named)
    assert answer is not None and not isinstance(answer, Problem), answer
    return answer


def main():
    where = os.environ["SHIKAKU_API"]
    session = call("sign_in", client=generated.Client(where), body=SignIn(
        institution_code=os.environ["SHIKAKU_INSTITUTION_CODE"], account=os.environ["SHIKAKU_ACCOUNT"],
        password=os.environ["SHIKAKU_PASSWORD"], code=totp(os.environ["SHIKAKU_TOTP_SECRET"], time.time())))
    client = generated.AuthenticatedClient(where, session.token, timeout=60)

    check = call("create_check", client=client, body=NewCheck(method=Method.CARD_PIN))
    check = call("enter_pin", check.id, client=client, body=PinEntry(pin="1234"))
    while check.phase not in (CheckPhase.DONE, CheckPhase.FAILED):
        check = call("get_check", check.id, client=client, after_revision=check.revision, wait_seconds=10)
    assert check.phase == CheckPhase.DONE, check

    assert call("count_results", client=client).count >= 1
    page = call("list_results", client=client, limit=10)
    assert check.result_id in [result.id for result in page.results]
    result = call("get_result", check.result_id, client=client)
    assert result.eligibilities[0].name == "資格 太郎", result

    changes = call("list_result_changes", client=client, from_start=True)
    assert result.id in [change.id for change in changes.results] and changes.cursor, changes
    exported = call("export_results", client=client)
    assert result.id in [each.id for each in exported.results], exported

    answer = call("set_inquiry_number", result.id, client=client, body=InquiryNumber("PG-000123"))
    assert answer.state != InquiryState.FAILED, answer
    missing = importlib.import_module(OPERATIONS["get_result"]).sync(999_999, client=client)
    assert isinstance(missing, Problem) and missing.code.value == "result_not_found", missing
    print("openapi-python-client: sign in, check, count, list, one, changes, export, inquiry number: ok")


main()
