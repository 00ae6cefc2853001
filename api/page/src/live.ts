/**
 * What changes by itself: one stream of events for the whole page, which names nobody. It comes back by itself after sleep, a lost network or a
 * restart of the daemon, and says so.
 */

import { call, type Schemas } from "./api";

/** What can be listened to, and what it tells. */
export interface Events {
  /** Readers and what lies on them. */
  readers: Schemas["ReadersEvent"];
  /** A result was stored or changed; nothing if it is not known which. */
  results: Schemas["ResultEvent"] | undefined;
  /** Announcements changed. */
  announcements: undefined;
  /** The daemon is heard again, or no longer. */
  connection: boolean;
}

type Listener<K extends keyof Events> = (about: Events[K]) => void;

/** How long until a stream that the browser gave up is opened again, in milliseconds. */
const AGAIN_AFTER = 3000;
/** How often the page looks whether it has slept, and from when on it has, in milliseconds. */
const LOOK_EVERY = 5000;
const SLEPT = 4 * LOOK_EVERY;

const listeners = new Map<keyof Events, Set<Listener<never>>>();
let source: EventSource | undefined;
let connected = false;
let wasConnected = false;

/** Whether the daemon is being heard. */
export const isConnected = (): boolean => connected;

/** Calls back whenever something of this kind happened; returns what ends that. */
export function listen<K extends keyof Events>(event: K, listener: Listener<K>): () => void {
  const set = listeners.get(event) ?? new Set();
  listeners.set(event, set);
  set.add(listener as Listener<never>);
  return () => set.delete(listener as Listener<never>);
}

function tell<K extends keyof Events>(event: K, about: Events[K]): void {
  for (const listener of [...(listeners.get(event) ?? [])]) (listener as Listener<K>)(about);
}

function heard(now: boolean): void {
  if (now !== connected) tell("connection", now);
  connected = now;
  // Whatever happened in between is asked for anew; the readers' state comes with the beginning of every stream.
  if (now && wasConnected) {
    tell("results", undefined);
    tell("announcements", undefined);
  }
  wasConnected ||= now;
}

/** Opens the stream. */
export function begin(): void {
  close();
  const stream = new EventSource("/v1/events");
  source = stream;
  const on = (name: string, told: (data: string) => void) => stream.addEventListener(name, (event) => told((event as MessageEvent<string>).data));
  on("ready", () => heard(true));
  on("readers", (data) => tell("readers", JSON.parse(data) as Events["readers"]));
  on("announcements", () => tell("announcements", undefined));
  on("result", (data) => tell("results", JSON.parse(data) as Events["results"]));
  for (const name of ["expired", "resync"]) on(name, () => tell("results", undefined));
  stream.addEventListener("error", () => {
    heard(false);
    // The browser gives up for good when the answer was no stream: while the daemon starts, or because the session has ended.
    if (stream.readyState === EventSource.CLOSED && source === stream) window.setTimeout(() => void reopen(stream), AGAIN_AFTER);
  });
}

/** A stream that lay through the PC's sleep looks open for a long time although nothing comes any more. */
let awake = Date.now();
window.setInterval(() => {
  const now = Date.now();
  if (now - awake > SLEPT && source) begin();
  awake = now;
}, LOOK_EVERY);
window.addEventListener("offline", () => source && heard(false));
window.addEventListener("online", () => source && begin());

async function reopen(given: EventSource): Promise<void> {
  if (source !== given) return;
  // A session that has ended is told to the frame by the refusal itself.
  await call("GET", "/v1/sessions/current").catch(() => undefined);
  if (source === given) begin();
}

function close(): void {
  source?.close();
  source = undefined;
}

/** Closes the stream. */
export function end(): void {
  close();
  connected = false;
  wasConnected = false;
}
