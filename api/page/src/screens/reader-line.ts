/** One card reader in one line: its picture, name and state. */

import type { Schemas } from "../api";
import { type Child, h } from "../kit/dom";
import { drawn } from "../kit/pictures";

const WORDS: Record<Schemas["ReaderState"], string> = {
  empty: "待っています",
  card: "カードがあります",
  mute: "カードが応答しません",
  unavailable: "応答しません",
};

export function readerLine(reader: Schemas["Reader"]): Child {
  return [drawn("reader", 24), h("span", { class: "reader-name" }, reader.name), h("span", { class: "reader-word" }, reader.check_id === undefined ? WORDS[reader.state] : "ほかの資格確認で使用中")];
}
