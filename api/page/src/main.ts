/** Starts the page: with the session that is still there, or with a sign-in. */

import "@digital-go-jp/design-tokens/dist/tokens.css";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/frame.css";

import { call, maybeSignedIn, type Schemas } from "./api";
import { guardBack, show } from "./frame";
import { later } from "./kit/dom";
import { rest } from "./rest";
import { signIn } from "./screens/sign-in";

guardBack();
if (maybeSignedIn()) {
  Promise.all([rest(), call<Schemas["SessionInfo"]>("GET", "/v1/sessions/current")]).then(
    ([{ welcome }, session]) => welcome(session),
    () => show(signIn()),
  );
} else {
  show(signIn());
  // Once the sign-in is painted. What goes wrong is told where it is needed: at the sign-in, which asks again.
  later(() => void rest().catch(() => undefined));
}
