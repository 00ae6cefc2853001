/** One check, from the chosen method to its result: follows the daemon's phases and never repeats anything by itself. */

import { address, call, Refused, type Schemas } from "../api";
import { problem, type Screen, show } from "../frame";
import { type Child, fill, h } from "../kit/dom";
import { banner, button, heading, primary, quiet } from "../kit/parts";
import { drawn } from "../kit/pictures";
import { desk } from "../state";
import { CARD_HANDLING, METHODS, VISUAL_NOTE } from "../text/manual";
import { failure } from "./failure";
import { home } from "./home";
import { pinPad, type PinPad } from "./pin-pad";
import { resultById } from "./result";

type Check = Schemas["Check"];

const ENDED: readonly Check["phase"][] = ["done", "failed", "cancelled", "timed_out"];
/** Longest wait of one question, in seconds; the contract allows no more. */
const WAIT = 25;

/** Starts a check. */
export function check(request: Schemas["NewCheck"]): Screen {
  const stage = h("div", { class: "stage" });
  const gone = new AbortController();
  let id: string | undefined;
  let phase: Check["phase"] | undefined;
  let pad: PinPad | undefined;

  const path = (tail = "") => `/v1/checks/${encodeURIComponent(id ?? "")}${tail}`;

  async function follow(now: Check): Promise<void> {
    let state = now;
    for (;;) {
      if (gone.signal.aborted) return;
      if (state.phase !== phase) await enter(state);
      if (ENDED.includes(state.phase)) return;
      try {
        state = await call<Check>("GET", address(path(), { after_revision: state.revision, wait_seconds: WAIT }), undefined, gone.signal);
      } catch (error) {
        if (gone.signal.aborted) return;
        // The daemon goes on with the check whether this page hears it or not; what it came to is asked again.
        if (error instanceof Refused && error.status !== 0 && error.status < 500 && error.status !== 429) throw error;
        await new Promise((resolve) => window.setTimeout(resolve, 1000));
      }
    }
  }

  async function enter(state: Check): Promise<void> {
    phase = state.phase;
    pad?.close();
    pad = undefined;
    if (state.phase === "done" && state.result_id !== undefined) {
      await resultById(state.result_id, state.certificate?.warning);
      return;
    }
    if (state.phase === "failed" && state.failure) {
      show(failure(state, request));
      return;
    }
    if (state.phase === "cancelled" || state.phase === "timed_out") {
      show(state.phase === "cancelled" ? home() : failure(state, request));
      return;
    }
    fill(stage, scene(state));
    stage.querySelector<HTMLElement>("[data-focus], h1")?.focus({ preventScroll: true });
  }

  function scene(state: Check): Child {
    switch (state.phase) {
      case "fetching_challenge":
        return needsPin(request.method) ? enterPin() : waiting("準備しています", "オンライン資格確認等システムに接続しています。");
      case "waiting_for_pin":
        return enterPin();
      case "waiting_for_card":
        return holdCard();
      case "reading":
        return waiting("読み取っています", "カードを動かさないでください。");
      case "confirming_last_try":
        return lastTry();
      case "asking_upstream":
        return waiting("資格を確認しています", "カードはもう離してもかまいません。");
      case "offering_registration":
        return offerRegistration();
      case "registering":
        return waiting("利用登録をしています", "目安は15秒前後です。25秒以上かかるときは、数分たってからもう一度カードをかざすと確認できます。");
      default:
        return waiting("確認しています", "");
    }
  }

  function enterPin(): Child {
    const phone = request.method === "android_pin";
    pad = pinPad(
      "暗証番号を入力してください",
      phone ? "スマホ用利用者証明用電子証明書の数字4桁の暗証番号" : "利用者証明用電子証明書の数字4桁の暗証番号",
      (pin) => {
        fill(stage, waiting("確認しています", ""));
        void guarded(() => call<Check>("PUT", path("/pin"), { pin }));
      },
      () => void cancel(),
    );
    return pad.element;
  }

  function holdCard(): Child {
    const words = HOLD[request.method];
    return h(
      "section",
      { class: "hold" },
      h("div", { class: "hold-picture" }, drawn(request.method === "iphone" || request.method === "android_pin" ? "phone" : "card", 96), drawn("reader", 128)),
      heading(words.title),
      words.steps.map((step) => h("p", { class: "hold-step" }, step)),
      h("p", { class: "hold-note" }, CARD_HANDLING),
      quiet("中止する（Esc）", cancel),
    );
  }

  function lastTry(): Child {
    return h(
      "section",
      { class: "panel" },
      heading("暗証番号の残りはあと1回です"),
      banner("warning", "次に間違えると、暗証番号がロックされます。", h("p", {}, "入力した暗証番号でよいか、患者に確認してください。")),
      h(
        "div",
        { class: "actions" },
        primary("患者に確認した。照合する", () => guarded(() => call<Check>("POST", path("/confirm-last-try")))),
        button("照合せずに中止する", cancel),
      ),
    );
  }

  function offerRegistration(): Child {
    const decide = (consent: boolean, by?: Schemas["ConsentedBy"]) =>
      guarded(() => call<Check>("POST", path("/card-use-registration"), by ? { consent, consented_by: by } : { consent }));
    return h(
      "section",
      { class: "panel" },
      heading("健康保険証としての利用登録がされていません"),
      h("p", { class: "lead" }, "マイナポータルシステムを利用した、実物のマイナンバーカードを健康保険証等として利用するための申込みについて、患者から同意を取得してください。"),
      h("p", {}, "登録には15秒前後かかります。同意したことと日時、担当者が記録されます。"),
      h(
        "div",
        { class: "actions" },
        primary("患者本人が同意した。登録する", () => decide(true, "patient")),
        button("法定代理人が同意した。登録する", () => decide(true, "legal_representative")),
        button("登録しない", () => decide(false)),
      ),
      h("p", { class: "small" }, "毎日午前3時から午前6時と、メンテナンスの間は利用できません。"),
    );
  }

  /** Sends what may be refused; the answer itself comes by following. */
  async function guarded(work: () => Promise<Check>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!gone.signal.aborted) show({ title: "資格確認", body: [heading("資格確認ができませんでした"), problem(error), primary("最初に戻る", () => show(home()))] });
    }
  }

  async function cancel(): Promise<void> {
    pad?.close();
    if (id !== undefined && phase !== undefined && !ENDED.includes(phase)) await call("DELETE", path()).catch(() => undefined);
    if (!gone.signal.aborted) show(home());
  }

  function keys(event: KeyboardEvent): void {
    if (event.key === "Escape" && phase !== "registering" && phase !== "asking_upstream") void cancel();
  }

  async function begin(): Promise<void> {
    const started = await call<Check>("POST", "/v1/checks", request);
    id = started.id;
    if (gone.signal.aborted) {
      await cancel();
      return;
    }
    await follow(started);
  }

  fill(stage, needsPin(request.method) ? waiting("準備しています", "") : waiting("準備しています", "オンライン資格確認等システムに接続しています。"));
  document.addEventListener("keydown", keys);
  void guarded(async () => {
    await begin();
    return {} as Check;
  });

  return {
    title: METHODS[request.method].name,
    body: [request.method === "visual" && h("p", { class: "banner banner-info visual-note" }, VISUAL_NOTE), stage],
    alone: true,
    leave: () => {
      gone.abort();
      pad?.close();
      document.removeEventListener("keydown", keys);
    },
  };
}

const needsPin = (method: Schemas["Method"]) => method === "card_pin" || method === "android_pin";

const HOLD: Record<Schemas["Method"], { title: string; steps: readonly string[] }> = {
  visual: { title: "顔写真を確認し、カードをかざしてください", steps: ["患者の顔とカードの顔写真が一致することを確認します。", "患者がカードをカードリーダーに置きます。"] },
  card_pin: { title: "カードをかざしてください", steps: ["マイナンバーカードをカードリーダーに置きます。終わるまで動かさないでください。"] },
  iphone: {
    title: "患者のiPhoneをかざしてください",
    steps: ["Appleウォレットを立ち上げ、マイナンバーカードを表示して生体認証（Face ID または Touch ID）をします。", "iPhoneの上部をカードリーダーに近づけます。"],
  },
  android_pin: { title: "患者のスマートフォンをかざしてください", steps: ["おサイフケータイのマークの付近（ない機種は上部中央付近）をカードリーダーに近づけます。"] },
};

function waiting(title: string, text: string): HTMLElement {
  return h("section", { class: "waiting", role: "status" }, h("div", { class: "spinner", "aria-hidden": "true" }), heading(title), text && h("p", { class: "lead" }, text));
}

/** Whether a switch to visual after a lock is possible here. */
export const mayContinueByEye = (): boolean => desk.readers?.visual_after_lock === true;
