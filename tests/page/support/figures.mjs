/** Figures for `make figures ONLY=page`: lines `figure NAME VALUE` in a file that the runner prints. */

import { appendFileSync } from "node:fs";

const FILE = process.env.SHIKAKU_FIGURES;

export function figure(name, value) {
  if (FILE) appendFileSync(FILE, `figure page.${name} ${value}\n`);
}
