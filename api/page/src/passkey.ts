/** Passkeys (WebAuthn): the manual's 生体認証 at sign-in, and their enrolment. Needs a host name, not an address. */

import { call, type Schemas } from "./api";
import { attempt, welcome } from "./frame";
import { fill, h } from "./kit/dom";
import { banner } from "./kit/parts";

/** Whether this browser at this address can use one. */
export function canUsePasskey(): boolean {
  const host = window.location.hostname;
  return "PublicKeyCredential" in window && window.isSecureContext && /[a-z]/i.test(host) && !host.startsWith("[");
}

interface Options {
  readonly ceremony: string;
  readonly options: Record<string, unknown>;
}

const bytes = (text: string): ArrayBuffer => {
  const padded = text.replace(/-/g, "+").replace(/_/g, "/");
  return Uint8Array.from(atob(padded), (character) => character.charCodeAt(0)).buffer;
};

const text = (buffer: ArrayBuffer): string => {
  let plain = "";
  for (const byte of new Uint8Array(buffer)) plain += String.fromCharCode(byte);
  return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
};

/** WebAuthn's JSON forms hold binary values as base64url; the browsers we support cannot read them themselves. */
function revive(value: unknown, name = ""): unknown {
  if (typeof value === "string") return name === "challenge" || name === "id" ? bytes(value) : value;
  if (Array.isArray(value)) return value.map((entry) => revive(entry));
  if (value === null || typeof value !== "object") return value;
  const keep = (key: string) => name === "rp" && key === "id";
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, keep(key) ? entry : revive(entry, key)]));
}

function asJson(credential: PublicKeyCredential): Record<string, unknown> {
  const response = credential.response as AuthenticatorAssertionResponse & AuthenticatorAttestationResponse;
  const fields: Record<string, unknown> = {};
  for (const name of ["clientDataJSON", "authenticatorData", "signature", "userHandle", "attestationObject"] as const) {
    const value = response[name];
    if (value) fields[name] = text(value);
  }
  if (typeof response.getTransports === "function") fields["transports"] = response.getTransports();
  return { id: credential.id, rawId: text(credential.rawId), type: credential.type, response: fields, clientExtensionResults: {}, authenticatorAttachment: credential.authenticatorAttachment };
}

const declined = () => banner("warning", "パスキーを使えませんでした。", h("p", {}, "中止したか、この端末に登録がありません。パスワードでログインしてください。"));

/** Signs in. */
export async function signInWithPasskey(place: Element, institution: string, account: string): Promise<void> {
  await attempt(place, async () => {
    const begun = await call<Options>("POST", "/v1/sessions/passkey/begin", { institution_code: institution, account });
    const credential = await navigator.credentials.get({ publicKey: revive(begun.options) as PublicKeyCredentialRequestOptions }).catch(() => null);
    if (!(credential instanceof PublicKeyCredential)) {
      fill(place, declined());
      return;
    }
    const session = await call<Schemas["Session"]>("POST", "/v1/sessions/passkey", { ceremony: begun.ceremony, credential: asJson(credential) });
    await welcome(session, session.announcements);
  });
}

/** Enrols one for the account that is signed in. */
export async function enrolPasskey(place: Element, label: string, password: string): Promise<boolean> {
  const done = await attempt(place, async () => {
    const begun = await call<Options>("POST", "/v1/accounts/me/passkeys/begin", { password });
    const credential = await navigator.credentials.create({ publicKey: revive(begun.options) as PublicKeyCredentialCreationOptions }).catch(() => null);
    if (!(credential instanceof PublicKeyCredential)) {
      fill(place, declined());
      return false;
    }
    await call("POST", "/v1/accounts/me/passkeys", { ceremony: begun.ceremony, label, credential: asJson(credential) });
    return true;
  });
  return done === true;
}
