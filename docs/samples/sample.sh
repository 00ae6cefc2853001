#!/usr/bin/env bash
# 資格ブリッジの利用例（curl、jq、oathtool。いずれもDebianのパッケージです）。
#
#   make run ARGS="--env /tmp/shikaku.env"      # 別の端末で
#   . /tmp/shikaku.env; export ${!SHIKAKU_@}; docs/samples/sample.sh
#
# ログイン → 資格確認 → 一覧の取得 → 1件のダウンロード → 照会番号の登録。
set -euo pipefail

PIN=${SHIKAKU_PIN:-1234} # 実際には患者が入力します。保存も記録もしないでください。
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
umask 077
TOKEN=

# コードは1回しか使えません。30秒以内の2回目は429（Retry-After付き）になるので、送るたびに計算し直します。
sign_in_body() {
  CODE=$(oathtool --totp -b - <<<"$SHIKAKU_TOTP_SECRET") jq -n '{institution_code: env.SHIKAKU_INSTITUTION_CODE,
    account: env.SHIKAKU_ACCOUNT, password: env.SHIKAKU_PASSWORD, code: env.CODE}'
}

sign_in() {
  TOKEN=
  call POST /v1/sessions sign_in_body
  TOKEN=$(jq -r .token "$WORK/body")
}

# 1つの操作: call METHOD PATH [本文を作る関数]。STATUS と $WORK/body に答えを置き、待てば済むエラーは待って繰り返します。
call() {
  local attempt code wait
  for attempt in 1 2 3 4 5 6 7 8; do
    # 秘密が引数（プロセスの一覧）に出ないよう、トークンと本文はファイルで渡します。
    printf 'header = "Authorization: Bearer %s"\n' "$TOKEN" >"$WORK/curl"
    [ -n "$TOKEN" ] || : >"$WORK/curl"
    if [ -n "${3:-}" ]; then "$3" >"$WORK/request"; fi
    STATUS=$(curl -sS -K "$WORK/curl" -X "$1" "$SHIKAKU_API$2" -o "$WORK/body" -D "$WORK/headers" -w '%{http_code}' \
      ${ETAG:+-H "If-None-Match: $ETAG"} ${3:+-H 'Content-Type: application/json' --data-binary "@$WORK/request"})
    rm -f "$WORK/request"
    [ "$STATUS" -lt 400 ] && return
    code=$(jq -r .code "$WORK/body")
    case "$STATUS $code" in
      "429 "* | "503 "*)
        wait=$(sed -n 's/^retry-after: *\([0-9]*\).*/\1/ip' "$WORK/headers")
        sleep "${wait:-2}" ;;
      "401 session_required") # セッションは30分使わないと終わります。ログインし直して、同じ操作を繰り返します。
        [ "$2" = /v1/sessions ] && break
        sign_in ;;
      *) break ;;
    esac
  done
  # code で判断し、title と guidance を担当者に見せます。
  jq -r '"\(.status) \(.code): \(.title) \(.guidance)"' "$WORK/body" >&2
  exit 1
}

new_check() { echo '{"method": "card_pin"}'; }
pin() { PIN=$PIN jq -n '{pin: env.PIN}'; }
number() { jq -n '{inquiry_number: (env.SHIKAKU_INQUIRY_NUMBER // "SH-000123")}'; }

sign_in
call POST /v1/checks new_check
CHECK=$(jq -r .id "$WORK/body")
call PUT "/v1/checks/$CHECK/pin" pin
while :; do
  case $(jq -r .phase "$WORK/body") in
    done) break ;;
    failed | cancelled | timed_out)
      jq -r '"資格確認できませんでした: \(.phase) \(.failure.title) \(.failure.guidance)"' "$WORK/body" >&2
      exit 1 ;;
    # ここから先は、担当者が患者に確認して決めます。この例では中止します。
    confirming_last_try | offering_registration) call DELETE "/v1/checks/$CHECK" ;;
    *) call GET "/v1/checks/$CHECK?after_revision=$(jq -r .revision "$WORK/body")&wait_seconds=10" ;;
  esac
done
RESULT=$(jq -r .result_id "$WORK/body")

call GET /v1/results/count
echo "件数: $(jq -r .count "$WORK/body")"
call GET '/v1/results?limit=50'
jq -r '.results[] | "\(.id) \(.validity.label)"' "$WORK/body"
ETAG=$(sed -n 's/^etag: *\([^\r]*\).*/\1/ip' "$WORK/headers")
if [ -n "$ETAG" ]; then
  # 変わっていなければ304です。本文はなく、監査ログにも残らず、ほとんど負荷になりません。
  call GET '/v1/results?limit=50'
  echo "もう一度: $STATUS"
fi
ETAG=

call GET "/v1/results/$RESULT"
jq . "$WORK/body"

call PUT "/v1/results/$RESULT/inquiry-number" number
while [ "$STATUS" = 202 ] && [[ $(jq -r .state "$WORK/body") != @(registered|failed) ]]; do
  sleep 1 # オンライン資格確認等システムに届くまで。止まっている間は待ち行列に残ります。
  call GET "/v1/inquiry-numbers/$(jq -r .job "$WORK/body")"
  STATUS=202
done
echo "照会番号: $(jq -r .state "$WORK/body") $(number | jq -r .inquiry_number)"
call DELETE /v1/sessions/current
