#!/usr/bin/env node
// 資格ブリッジの利用例（Node.js 18以降、標準ライブラリのみ）。
//
//   make run ARGS="--env /tmp/shikaku.env"      # 別の端末で
//   . /tmp/shikaku.env; export ${!SHIKAKU_@}; node docs/samples/sample.mjs
//
// ログイン（6桁のコードは自分で計算）→ 資格確認 → 一覧の取得 → 1件のダウンロード → 照会番号の登録。

import { createHmac } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

const env = process.env;
const PIN = env.SHIKAKU_PIN ?? "1234"; // 実際には患者が入力します。保存も記録もしないでください。
let token = null;

/** RFC 6238 の6桁のコード（SHA-1、30秒）。 */
function totp(secret, at) {
  const bits = [...secret.replace(/=+$/, "")]
    .map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0"))
    .join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(at / 1000 / 30)));
  const digest = createHmac("sha1", key).update(counter).digest();
  const number = (digest.readUInt32BE(digest[19] & 15) & 0x7fffffff) % 1_000_000;
  return String(number).padStart(6, "0");
}

/** エラーの応答（RFC 9457）。code で判断し、title と guidance を担当者に見せます。 */
class Problem extends Error {
  constructor(status, problem) {
    super(`${status} ${problem.code}: ${problem.title} ${problem.guidance}`);
    this.code = problem.code;
  }
}

async function signIn() {
  // コードは1回しか使えません。30秒以内の2回目は429（Retry-After付き）になるので、送るたびに計算し直します。
  const reply = await call("POST", "/v1/sessions", () => ({
    institution_code: env.SHIKAKU_INSTITUTION_CODE,
    account: env.SHIKAKU_ACCOUNT,
    password: env.SHIKAKU_PASSWORD,
    code: totp(env.SHIKAKU_TOTP_SECRET, Date.now()),
  }));
  token = reply.body.token;
}

/** 1つの操作。待てば済むエラーは待って繰り返します。 */
async function call(method, path, body, etag) {
  for (let attempt = 0; ; attempt += 1) {
    const headers = { "Content-Type": "application/json" };
    if (token) headers.Authorization = `Bearer ${token}`;
    if (etag) headers["If-None-Match"] = etag;
    const content = typeof body === "function" ? body() : body;
    const reply = await fetch(env.SHIKAKU_API + path, { method, headers, body: content && JSON.stringify(content) });
    const text = await reply.text();
    if (reply.status === 304) return { status: 304, etag };
    const json = text ? JSON.parse(text) : null;
    if (reply.ok) return { status: reply.status, body: json, etag: reply.headers.get("etag") };
    if ((reply.status === 429 || reply.status === 503) && attempt < 7) {
      await sleep(1000 * Number(reply.headers.get("retry-after") ?? 2));
    } else if (reply.status === 401 && json.code === "session_required" && attempt < 7) {
      // セッションは30分使わないと終わります。ログインし直して、同じ操作を繰り返します。
      token = null;
      await signIn();
    } else {
      throw new Problem(reply.status, json ?? {});
    }
  }
}

/** 資格確認を1件行い、終わった資格確認を返します。 */
async function makeCheck(pin) {
  let check = (await call("POST", "/v1/checks", { method: "card_pin" })).body;
  check = (await call("PUT", `/v1/checks/${check.id}/pin`, { pin })).body;
  while (!["done", "failed", "cancelled", "timed_out"].includes(check.phase)) {
    if (["confirming_last_try", "offering_registration"].includes(check.phase)) {
      // ここから先は、担当者が患者に確認して決めます。この例では中止します。
      return (await call("DELETE", `/v1/checks/${check.id}`)).body;
    }
    const wait = `after_revision=${check.revision}&wait_seconds=10`;
    check = (await call("GET", `/v1/checks/${check.id}?${wait}`)).body;
  }
  return check;
}

await signIn();
// 変化を待つときの始まりの印です。保存しておき、次からは応答の cursor を使います。
let { cursor } = (await call("GET", "/v1/results/changes")).body;
const check = await makeCheck(PIN);
if (check.phase !== "done") {
  console.error("資格確認できませんでした:", check.phase, check.failure?.title, check.failure?.guidance);
  process.exit(1);
}

console.log("件数:", (await call("GET", "/v1/results/count")).body.count);
const page = await call("GET", "/v1/results?limit=50");
for (const result of page.body.results) console.log(result.id, result.validity.label);
if (page.etag) {
  // 変わっていなければ304です。本文はなく、監査ログにも残らず、ほとんど負荷になりません。
  console.log("もう一度:", (await call("GET", "/v1/results?limit=50", undefined, page.etag)).status);
}

// 変化があるまで待ちます（ロングポーリング）。ほかの端末で行った資格確認も、照会番号の登録も、ここに届きます。
const changes = (await call("GET", `/v1/results/changes?cursor=${cursor}&wait=30&fields=version,validity`)).body;
cursor = changes.cursor;
for (const changed of changes.results) console.log("変化:", changed.id, changed.version, changed.validity.label);

const result = (await call("GET", `/v1/results/${check.result_id}`)).body;
console.log(JSON.stringify(result, null, 2));

const number = { inquiry_number: env.SHIKAKU_INQUIRY_NUMBER ?? "JS-000123" };
let { status, body: job } = await call("PUT", `/v1/results/${result.id}/inquiry-number`, number);
while (status === 202 && job.state !== "registered" && job.state !== "failed") {
  await sleep(1000); // オンライン資格確認等システムに届くまで。止まっている間は待ち行列に残ります。
  job = (await call("GET", `/v1/inquiry-numbers/${job.job}`)).body;
}
console.log("照会番号:", job.state, number.inquiry_number);
await call("DELETE", "/v1/sessions/current");
