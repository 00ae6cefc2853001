/** One check, from the chosen method to its result: follows the daemon's phases and never repeats anything by itself. */

import { abandon, address, call, Refused, type Schemas } from "../api";
import { type Screen, show } from "../frame";
import { type Child, fill, h } from "../kit/dom";
import { listen } from "../live";
import { desk, readersSeen } from "../state";
import { METHODS } from "../text/manual";
import { failure } from "./failure";
import { home } from "./home";
import { pinPad, type PinPad } from "./pin-pad";
import { readerLine } from "./reader-line";
import { resultById } from "./result";
import { holding, lastTry, needsPin, progress, registration, waiting } from "./scenes";

type Check = Schemas["Check"];
type Phase = Schemas["CheckPhase"];

/** Phases after which nothing changes any more. */
const ENDED: readonly Phase[] = ["done", "failed", "cancelled", "timed_out"];
/** Phases in which the central system may already be at work: nothing is cancelled then. */
const COMMITTED: readonly Phase[] = ["asking_upstream", "registering"];
/** Phases in which a PIN is taken. */
const TAKES_PIN: readonly Phase[] = ["fetching_challenge", "waiting_for_pin"];
/** Longest wait of one question, in seconds; the contract allows no more. */
const WAIT = 25;
/** How long until a question that found nobody is asked again, in milliseconds. */
const AGAIN_AFTER = 1000;

/** Starts a check. `triesLeft`: how often the PIN may still be wrong, where the check before has told. */
export function check(request: Schemas["NewCheck"], triesLeft?: number): Screen {
  const stage = h("div", { class: "stage" });
  const way = h("div", {});
  const reader = h("p", { class: "reader", role: "status" });
  const gone = new AbortController();
  let begun: Promise<Check> | undefined;
  let now: Check | undefined;
  let pad: PinPad | undefined;
  let pinGiven = false;

  const path = (of: Check, tail = "") => `/v1/checks/${encodeURIComponent(of.id)}${tail}`;

  async function follow(first: Check): Promise<void> {
    let state = first;
    for (;;) {
      if (gone.signal.aborted) return;
      if (state.phase !== now?.phase) await enter(state);
      if (ENDED.includes(state.phase)) return;
      try {
        state = await call<Check>("GET", address(path(state), { after_revision: state.revision, wait_seconds: WAIT }), undefined, gone.signal);
      } catch (error) {
        if (gone.signal.aborted) return;
        // The daemon goes on with the check whether this page hears it or not; what it came to is asked again.
        if (error instanceof Refused && error.status !== 0 && error.status < 500 && error.status !== 429) throw error;
        await new Promise((resolve) => window.setTimeout(resolve, AGAIN_AFTER));
      }
    }
  }

  async function enter(state: Check): Promise<void> {
    const before = now?.phase;
    now = state;
    if (state.phase === "done" && state.result_id !== undefined) return resultById(state.result_id, home, state.certificate);
    if (state.phase === "cancelled") return show(home());
    if (state.phase === "failed" || state.phase === "timed_out") return show(failure(state.failure, request, state.id));
    // Digits that the patient has typed while the challenge came stay.
    if (pad && before !== undefined && TAKES_PIN.includes(before) && TAKES_PIN.includes(state.phase)) return;
    draw(state.phase);
  }

  function draw(phase: Phase): void {
    pad?.close();
    pad = undefined;
    fill(way, progress(request.method, phase));
    fill(stage, scene(phase));
    stage.querySelector<HTMLElement>("[data-focus], h1")?.focus({ preventScroll: true });
  }

  function scene(phase: Phase): Child {
    switch (phase) {
      case "fetching_challenge":
      case "waiting_for_pin":
        if (!needsPin(request.method)) return waiting("準備しています", "オンライン資格確認等システムに接続しています。");
        if (pinGiven) return waiting("準備しています", "暗証番号を受け付けました。");
        pad = pinPad(request.method, triesLeft, (pin) => void guarded(() => give(pin)), cancel);
        return pad.element;
      case "waiting_for_card":
        drawReader();
        return holding(request.method, reader, cancel);
      case "reading":
        return waiting("読み取っています", "カードを動かさないでください。");
      case "confirming_last_try":
        return lastTry(() => guarded(() => tell("POST", "/confirm-last-try")), cancel);
      case "offering_registration":
        return registration((consent, by) => guarded(() => tell("POST", "/card-use-registration", by ? { consent, consented_by: by } : { consent })));
      case "registering":
        return waiting("利用登録をしています", "目安は15秒前後です。25秒以上かかるときは、数分たってからもう一度カードをかざすと確認できます。");
      default:
        return waiting("資格を確認しています", "カードはもう離してもかまいません。");
    }
  }

  function drawReader(): void {
    const mine = desk.readers?.readers.find(({ name }) => name === now?.reader);
    fill(reader, mine && readerLine({ name: mine.name, state: mine.state }));
  }

  /** Hands the PIN over; it may be complete before the daemon has answered that the check began. */
  async function give(pin: string): Promise<void> {
    pinGiven = true;
    draw(now?.phase ?? "waiting_for_pin");
    const started = await begun;
    if (started && !gone.signal.aborted) await call<Check>("PUT", path(started, "/pin"), { pin });
  }

  async function tell(method: "POST", tail: string, body?: unknown): Promise<void> {
    if (now) await call<Check>(method, path(now, tail), body);
  }

  /** Does what may be refused; what comes of it is heard by following. */
  async function guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (gone.signal.aborted) return;
      if (!(error instanceof Refused)) throw error;
      show(failure(error.problem, request));
    }
  }

  function cancel(): void {
    show(home());
  }

  function keys(event: KeyboardEvent): void {
    if (event.key === "Escape" && !event.repeat && (!now || !COMMITTED.includes(now.phase))) cancel();
  }

  const end = listen("readers", (seen) => {
    readersSeen(seen);
    drawReader();
  });
  document.addEventListener("keydown", keys);
  draw("fetching_challenge");
  void guarded(async () => {
    begun = call<Check>("POST", "/v1/checks", request);
    await follow(await begun);
  });

  return {
    title: METHODS[request.method].name,
    body: [way, stage],
    alone: true,
    leave: async () => {
      gone.abort();
      pad?.close();
      end();
      document.removeEventListener("keydown", keys);
      // A check that nobody sees any more holds the reader: it is ended, unless the central system already has it.
      const left = now ?? (await begun?.catch(() => undefined));
      if (left && !ENDED.includes(left.phase) && !COMMITTED.includes(left.phase)) await abandon(path(left));
    },
  };
}

/** Whether a switch to visual after a lock is possible here. */
export const mayContinueByEye = (): boolean => desk.readers?.visual_after_lock === true;
