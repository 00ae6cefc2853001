/** What the page knows while somebody is signed in. Lives in memory only: a reload forgets it, nothing is written to the browser. */

import type { Schemas } from "./api";

export interface Person {
  readonly account: string;
  readonly role: Schemas["Role"];
}

/** Conditions of a search for past results. */
export type Conditions = Pick<Schemas["ResultSearch"], "from" | "to" | "terminal" | "name" | "kana">;

export interface Desk {
  /** Who is signed in. */
  person: Person | undefined;
  /** The terminal at which checks from here take place. */
  terminal: string | undefined;
  /** The readers as last seen, and what they and the settings allow. */
  readers: Schemas["Readers"] | undefined;
  /** Announcements of this sign-in. */
  announcements: Schemas["AnnouncementList"] | undefined;
  /** The conditions that past results were searched with last. */
  search: Conditions;
}

const nobody = (): Desk => ({ person: undefined, terminal: undefined, readers: undefined, announcements: undefined, search: {} });

export const desk: Desk = nobody();

/** Forgets everything. */
export function forget(): void {
  Object.assign(desk, nobody());
}

export const isAdministrator = (): boolean => desk.person?.role === "administrator";

/** Takes the state of the readers as it was told just now; `false` if they are others than before, so that what they allow has to be asked anew. */
export function readersSeen(seen: Schemas["ReadersEvent"]): boolean {
  if (!desk.readers) return false;
  const names = (readers: readonly { readonly name: string }[]) => readers.map(({ name }) => name).join("\n");
  const same = names(desk.readers.readers) === names(seen.readers) && desk.readers.service_available === seen.service_available;
  desk.readers = { ...desk.readers, ...seen };
  return same;
}
