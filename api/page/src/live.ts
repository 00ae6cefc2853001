/**
 * What changes by itself: one stream of events for the whole page, which names nobody. It comes back by itself after sleep, a lost network or a
 * restart of the daemon, and says so.
 */

export type LiveEvent = "readers" | "results" | "announcements" | "state";

type Listener = () => void;

const listeners = new Map<LiveEvent, Set<Listener>>();
let source: EventSource | undefined;
let connected = false;

/** Whether the daemon is being heard. */
export const isConnected = (): boolean => connected;

/** Calls back whenever something of this kind happened; returns what ends that. */
export function listen(event: LiveEvent, listener: Listener): () => void {
  const set = listeners.get(event) ?? new Set();
  listeners.set(event, set);
  set.add(listener);
  return () => set.delete(listener);
}

function tell(event: LiveEvent): void {
  for (const listener of [...(listeners.get(event) ?? [])]) listener();
}

function heard(now: boolean): void {
  if (now === connected) return;
  connected = now;
  tell("state");
  // Whatever happened in between is asked for anew.
  if (now) for (const event of ["readers", "results", "announcements"] as const) tell(event);
}

/** Opens the stream. */
export function begin(): void {
  end();
  const stream = new EventSource("/v1/events");
  source = stream;
  stream.addEventListener("open", () => heard(true));
  stream.addEventListener("error", () => {
    heard(false);
    // The browser gives up for good when the answer was no stream, for example while the daemon starts.
    if (stream.readyState === EventSource.CLOSED && source === stream) window.setTimeout(() => source === stream && begin(), 3000);
  });
  stream.addEventListener("readers", () => tell("readers"));
  stream.addEventListener("announcements", () => tell("announcements"));
  for (const name of ["result", "expired", "resync"]) stream.addEventListener(name, () => tell("results"));
}

/** Closes the stream. */
export function end(): void {
  source?.close();
  source = undefined;
  connected = false;
}
