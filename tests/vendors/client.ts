// The client that openapi-typescript and openapi-fetch make of openapi.yaml, through the whole scenario.

import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

declare const process: { env: Record<string, string | undefined> };

const env = (name: string): string => {
  const value = process.env[`SHIKAKU_${name}`];
  if (!value) throw new Error(`SHIKAKU_${name} is not set`);
  return value;
};

/** The answer, or the problem as an error. */
function answer<T>(reply: { data?: T; error?: unknown; response: Response }): T {
  if (reply.data === undefined) throw new Error(`${reply.response.status} ${JSON.stringify(reply.error)}`);
  return reply.data;
}

function ensure(holds: boolean, what: unknown): void {
  if (!holds) throw new Error(`not as expected: ${JSON.stringify(what)}`);
}

const control = await fetch(`${env("SANDBOX")}/v1/accounts/${env("ACCOUNT")}/code`);
const { code } = (await control.json()) as { code: string };
const client = createClient<paths>({ baseUrl: env("API") });
const session = answer(await client.POST("/v1/sessions", {
  body: { institution_code: env("INSTITUTION_CODE"), account: env("ACCOUNT"), password: env("PASSWORD"), code },
}));
client.use({
  onRequest({ request }) {
    request.headers.set("Authorization", `Bearer ${session.token}`);
    return request;
  },
});

let check: components["schemas"]["Check"] = answer(await client.POST("/v1/checks", { body: { method: "card_pin" } }));
const path = { id: check.id };
check = answer(await client.PUT("/v1/checks/{id}/pin", { params: { path }, body: { pin: "1234" } }));
while (check.phase !== "done" && check.phase !== "failed") {
  const query = { after_revision: check.revision, wait_seconds: 10 };
  check = answer(await client.GET("/v1/checks/{id}", { params: { path, query } }));
}
ensure(check.phase === "done" && check.result_id !== undefined, check);
const id = check.result_id ?? 0;

ensure(answer(await client.GET("/v1/results/count")).count >= 1, "count");
const page = answer(await client.GET("/v1/results", { params: { query: { limit: 10 } } }));
ensure(page.results.some((result) => result.id === id), page);
const result = answer(await client.GET("/v1/results/{id}", { params: { path: { id } } }));
// Other formats are text or another standard's JSON, and `fields` leaves members out: asked for neither, it is our own JSON.
const name = (result as components["schemas"]["EligibilityResult"]).eligibilities[0]?.name;
ensure(name === "資格 太郎", result);

const changes = answer(await client.GET("/v1/results/changes", { params: { query: { from_start: true } } }));
ensure(changes.results.length >= 1 && changes.cursor !== "", changes);
const exported = answer(await client.GET("/v1/results/export", {
  params: { query: { format: "ndjson" } },
  parseAs: "text",
}));
ensure(typeof exported === "string" && exported.includes("資格 太郎"), exported);

const job = answer(await client.PUT("/v1/results/{id}/inquiry-number", {
  params: { path: { id } },
  body: { inquiry_number: "TG-000123" },
}));
ensure(job.state !== "failed", job);
const missing = await client.GET("/v1/results/{id}", { params: { path: { id: 999_999 } } });
ensure(missing.error?.code === "result_not_found", missing.error);
console.log("openapi-fetch: sign in, check, count, list, one, changes, export, inquiry number: ok");
