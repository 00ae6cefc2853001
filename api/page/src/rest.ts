/** Fetches the part of the page that only people who are signed in need. */

import { Refused } from "./api";

const INCOMPLETE = {
  code: "page_incomplete",
  title: "受付ページの続きを読み込めません。",
  guidance: "資格ブリッジが動いていることを確認し、ページを再読み込み（F5）してください。",
} as const;

/** That part; the browser keeps it, so whoever asks again waits no more. */
export async function rest(): Promise<typeof import("./work")> {
  try {
    return await import("./work");
  } catch {
    // Also after an update of the daemon: its page has other names for its files, which a reload finds.
    throw new Refused(INCOMPLETE, 0, undefined);
  }
}
