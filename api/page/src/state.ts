/** What the page knows while somebody is signed in. Lives in memory only: a reload forgets it, nothing is written to the browser. */

import type { Schemas } from "./api";

export interface Person {
  readonly account: string;
  readonly role: Schemas["Role"];
  readonly idleSeconds: number;
}

export interface Desk {
  /** Who is signed in. */
  person: Person | undefined;
  /** The readers as last seen. */
  readers: Schemas["Readers"] | undefined;
  /** Announcements of this sign-in. */
  announcements: Schemas["AnnouncementList"] | undefined;
}

export const desk: Desk = { person: undefined, readers: undefined, announcements: undefined };

/** Forgets everything. */
export function forget(): void {
  desk.person = undefined;
  desk.readers = undefined;
  desk.announcements = undefined;
}

export const isAdministrator = (): boolean => desk.person?.role === "administrator";
