/** Passkeys (WebAuthn): the manual's 生体認証 at sign-in, and their enrolment. Needs a host name, not an address. */

import { call, type Schemas } from "./api";
import { attempt } from "./frame";
import { fill, h } from "./kit/dom";
import { banner } from "./kit/parts";
import { rest } from "./rest";

/** Whether this browser at this address can use one. */
export function canUsePasskey(): boolean {
  const host = window.location.hostname;
  return "PublicKeyCredential" in window && window.isSecureContext && /[a-z]/i.test(host) && !host.startsWith("[");
}

/** WebAuthn's JSON forms hold bytes as base64url; the browsers that we support cannot read them themselves. */
const bytes = (text: string): ArrayBuffer => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (character) => character.charCodeAt(0)).buffer;

const text = (buffer: ArrayBuffer): string => {
  let plain = "";
  for (const byte of new Uint8Array(buffer)) plain += String.fromCharCode(byte);
  return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
};

const declined = () => banner("warning", "パスキーを使えませんでした。", h("p", {}, "中止したか、この端末に登録がありません。パスワードでログインしてください。"));

/** What the authenticator gave; nothing if the person or the browser declined. */
async function given<T extends AuthenticatorResponse>(place: Element, coming: Promise<Credential | null>): Promise<{ readonly id: string; readonly response: T } | undefined> {
  const credential = await coming.catch(() => null);
  if (credential instanceof PublicKeyCredential) return { id: credential.id, response: credential.response as T };
  fill(place, declined());
  return undefined;
}

/** Signs in: the authenticator knows whose it is, so nothing is typed. */
export async function signInWithPasskey(place: Element): Promise<void> {
  fill(place);
  await attempt(place, async () => {
    const { welcome } = await rest();
    const { ceremony, options } = await call<Schemas["PasskeyAsked"]>("POST", "/v1/sessions/passkey/begin");
    const publicKey = { ...options, challenge: bytes(options.challenge) } as PublicKeyCredentialRequestOptions;
    const answer = await given<AuthenticatorAssertionResponse>(place, navigator.credentials.get({ publicKey }));
    if (!answer) return;
    const { clientDataJSON, authenticatorData, signature, userHandle } = answer.response;
    const signed: Schemas["PasskeySignIn"] = {
      ceremony,
      credential_id: answer.id,
      client_data: text(clientDataJSON),
      authenticator_data: text(authenticatorData),
      signature: text(signature),
      user_handle: text(userHandle ?? new ArrayBuffer(0)),
    };
    const session = await call<Schemas["Session"]>("POST", "/v1/sessions/passkey", signed);
    await welcome(session, session.announcements);
  });
}

/** Enrols one for the account that is signed in; whether it was. */
export async function enrolPasskey(place: Element, name: string, proof: Schemas["PasskeyProof"]): Promise<boolean> {
  fill(place);
  const done = await attempt(place, async () => {
    const { ceremony, options } = await call<Schemas["PasskeyEnrolment"]>("POST", "/v1/accounts/me/passkeys/begin", proof);
    const publicKey = {
      ...options,
      challenge: bytes(options.challenge),
      user: { ...options.user, id: bytes(options.user.id) },
      excludeCredentials: options.excludeCredentials.map((known) => ({ ...known, id: bytes(known.id) })),
    } as PublicKeyCredentialCreationOptions;
    const made = await given<AuthenticatorAttestationResponse>(place, navigator.credentials.create({ publicKey }));
    if (!made) return false;
    const passkey: Schemas["NewPasskey"] = { ceremony, name, client_data: text(made.response.clientDataJSON), attestation_object: text(made.response.attestationObject) };
    await call("POST", "/v1/accounts/me/passkeys", passkey);
    return true;
  });
  return done === true;
}
