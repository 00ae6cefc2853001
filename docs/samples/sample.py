#!/usr/bin/env python3
"""資格ブリッジの利用例（Python 3.9以降、標準ライブラリのみ）。

  make run ARGS="--env /tmp/shikaku.env"      # 別の端末で
  . /tmp/shikaku.env; export ${!SHIKAKU_@}; python3 docs/samples/sample.py

ログイン（6桁のコードは自分で計算）→ 資格確認 → 一覧の取得 → 1件のダウンロード → Shift_JISのCSV → 照会番号の登録。
"""

import base64
import csv
import hashlib
import hmac
import io
import json
import os
import struct
import time
import urllib.error
import urllib.request

API = os.environ["SHIKAKU_API"]
PIN = os.environ.get("SHIKAKU_PIN", "1234")  # 実際には患者が入力します。保存も記録もしないでください。


class Problem(Exception):
    """エラーの応答（RFC 9457）。code で判断し、title と guidance を担当者に見せます。"""

    def __init__(self, status, problem):
        super().__init__(f"{status} {problem.get('code')}: {problem.get('title')} {problem.get('guidance')}")
        self.code = problem.get("code")


def totp(secret, at):
    """RFC 6238 の6桁のコード（SHA-1、30秒）。"""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, struct.pack(">Q", int(at) // 30), hashlib.sha1).digest()
    offset = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[offset:offset + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def content(reply):
    """本文。JSONは値に、ほかの形式は Content-Type の文字コードの文字列にします。本文がなければ None です。"""
    data = reply.read()
    if not data:
        return None
    charset = reply.headers.get_content_charset("utf-8")
    # Shift_JIS と書かれた本文は、Windows の Shift_JIS（コードページ932）です。
    text = data.decode("cp932" if charset == "shift_jis" else charset)
    return json.loads(text) if reply.headers.get_content_subtype().endswith("json") else text


def rows(text):
    """CSVの行。数式とみなされないよう値の前に付いた「'」を1つ取り除きます。"""
    for row in csv.DictReader(io.StringIO(text, newline="")):
        yield {heading: value[1:] if value.startswith("'") else value for heading, value in row.items()}


class Bridge:
    """1つのアカウントで資格ブリッジを使います。"""

    def __init__(self):
        self.token = None

    def sign_in(self):
        # コードは1回しか使えません。30秒以内の2回目は429（Retry-After付き）になるので、送るたびに計算し直します。
        self.token = self.call("POST", "/v1/sessions", lambda: {
            "institution_code": os.environ["SHIKAKU_INSTITUTION_CODE"],
            "account": os.environ["SHIKAKU_ACCOUNT"],
            "password": os.environ["SHIKAKU_PASSWORD"],
            "code": totp(os.environ["SHIKAKU_TOTP_SECRET"], time.time()),
        })[1]["token"]

    def call(self, method, path, body=None, etag=None):
        """1つの操作。(ステータス, 本文, ETag) を返します。待てば済むエラーは待って繰り返します。"""
        for attempt in range(8):
            headers = {"Content-Type": "application/json"}
            if self.token:
                headers["Authorization"] = f"Bearer {self.token}"
            if etag:
                headers["If-None-Match"] = etag
            value = body() if callable(body) else body
            data = None if value is None else json.dumps(value).encode()
            request = urllib.request.Request(API + path, data, headers, method=method)
            try:
                with urllib.request.urlopen(request, timeout=90) as reply:
                    return reply.status, content(reply), reply.headers.get("ETag")
            except urllib.error.HTTPError as error:
                if error.code == 304:
                    return 304, None, etag
                problem = json.loads(error.read() or b"{}")
                if error.code in (429, 503) and attempt < 7:
                    time.sleep(int(error.headers.get("Retry-After") or 2))
                elif error.code == 401 and problem.get("code") == "session_required" and attempt < 7:
                    # セッションは30分使わないと終わります。ログインし直して、同じ操作を繰り返します。
                    self.token = None
                    self.sign_in()
                else:
                    raise Problem(error.code, problem) from None

    def check(self, pin):
        """資格確認を1件行い、終わった資格確認を返します。"""
        check = self.call("POST", "/v1/checks", {"method": "card_pin"})[1]
        check = self.call("PUT", f"/v1/checks/{check['id']}/pin", {"pin": pin})[1]
        while check["phase"] not in ("done", "failed", "cancelled", "timed_out"):
            if check["phase"] in ("confirming_last_try", "offering_registration"):
                # ここから先は、担当者が患者に確認して決めます。この例では中止します。
                return self.call("DELETE", f"/v1/checks/{check['id']}")[1]
            wait = f"after_revision={check['revision']}&wait_seconds=10"
            check = self.call("GET", f"/v1/checks/{check['id']}?{wait}")[1]
        return check


def main():
    bridge = Bridge()
    bridge.sign_in()
    check = bridge.check(PIN)
    if check["phase"] != "done":
        failure = check.get("failure", {})
        raise SystemExit(f"資格確認できませんでした: {check['phase']} {failure.get('title')} {failure.get('guidance')}")

    print("件数:", bridge.call("GET", "/v1/results/count")[1]["count"])
    _, page, etag = bridge.call("GET", "/v1/results?limit=50")
    for result in page["results"]:
        print(result["id"], result["validity"]["label"])
    if etag:
        # 変わっていなければ304です。本文はなく、監査ログにも残らず、ほとんど負荷になりません。
        print("もう一度:", bridge.call("GET", "/v1/results?limit=50", etag=etag)[0])

    result = bridge.call("GET", f"/v1/results/{check['result_id']}")[1]
    print(json.dumps(result, ensure_ascii=False, indent=2))

    # Shift_JISでしか持てないソフトには。入らない文字は別の字か「●」になり、その数は応答のヘッダーにあります。
    for row in rows(bridge.call("GET", f"/v1/results/{result['id']}?format=csv&charset=cp932")[1]):
        print("CSV:", row["結果番号"], row["氏名"], row["フリガナ"], row["保険者番号"])

    number = {"inquiry_number": os.environ.get("SHIKAKU_INQUIRY_NUMBER", "PY-000123")}
    status, job, _ = bridge.call("PUT", f"/v1/results/{result['id']}/inquiry-number", number)
    while status == 202 and job["state"] not in ("registered", "failed"):
        time.sleep(1)  # オンライン資格確認等システムに届くまで。止まっている間は待ち行列に残ります。
        job = bridge.call("GET", f"/v1/inquiry-numbers/{job['job']}")[1]
    print("照会番号:", job["state"], number["inquiry_number"])
    bridge.call("DELETE", "/v1/sessions/current")


if __name__ == "__main__":
    main()
