/**
 * Pictures of the screens, kept in docs/screens as documentation and held against what the page looks like today.
 *
 * Tolerance: at most 1 % of a picture's pixels may differ, in any channel, by more than 48 of 255. It lets antialiasing and the
 * kept pictures' 256 colours pass, and not a moved line or a changed word.
 */

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const KEPT = fileURLToPath(new URL("../../../docs/screens/", import.meta.url));
/** Where pictures that differ are laid for whoever has to look at them. */
const FOUND = join(tmpdir(), "shikaku-screens");

/** Whether pictures are kept anew; nothing is judged then. */
export const UPDATE = process.env.UPDATE_SCREENS === "1";
const MOST_DIFFERENT = 0.01;
const NEAR = 48;

/** The fonts that the pictures were made with, those of Debian 12. Others draw other pictures: nothing is compared with them. */
export const FONTS = "fonts-noto-cjk 1:20220127+repack1-1";

/** Compares PNG pictures by drawing them in a browser of their own. */
export class Gallery {
  static async open(chrome) {
    const page = await (await chrome.newContext()).newPage();
    await page.goto("about:blank");
    return new Gallery(page);
  }

  constructor(page) {
    this.page = page;
    this.problems = [];
    this.kept = [];
    this.pictures = 0;
  }

  /** Holds a picture against the kept one of that name, or keeps it. */
  async hang(name, png) {
    this.pictures += 1;
    const file = join(KEPT, `${name}.png`);
    if (UPDATE) {
      mkdirSync(KEPT, { recursive: true });
      writeFileSync(file, png);
      this.kept.push(file);
      return;
    }
    const different = existsSync(file) ? await this.difference(readFileSync(file), png) : 1;
    if (different <= MOST_DIFFERENT) return;
    mkdirSync(FOUND, { recursive: true });
    writeFileSync(join(FOUND, `${name}.png`), png);
    this.problems.push(`${name}: ${(different * 100).toFixed(2)} % differ`);
  }

  /** The share of pixels that differ; 1 for another size. */
  difference(kept, now) {
    const source = (png) => `data:image/png;base64,${png.toString("base64")}`;
    return this.page.evaluate(
      async ([kept, now, near]) => {
        const read = async (source) => {
          const bitmap = await createImageBitmap(await (await fetch(source)).blob());
          const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
          const context = canvas.getContext("2d");
          context.drawImage(bitmap, 0, 0);
          return context.getImageData(0, 0, bitmap.width, bitmap.height);
        };
        const [a, b] = [await read(kept), await read(now)];
        if (a.width !== b.width || a.height !== b.height) return 1;
        let different = 0;
        for (let at = 0; at < a.data.length; at += 4) {
          const far = (channel) => Math.abs(a.data[at + channel] - b.data[at + channel]) > near;
          if (far(0) || far(1) || far(2)) different += 1;
        }
        return different / (a.width * a.height);
      },
      [source(kept), source(now), NEAR],
    );
  }

  /** Makes pictures that were kept anew small: 256 colours are enough for a screen. */
  close() {
    const fresh = this.kept.splice(0);
    if (fresh.length > 0) execFileSync("pngquant", ["--strip", "--nofs", "--force", "--ext", ".png", "256", "--", ...fresh]);
  }

  /** Where the pictures that differ lie. */
  get found() {
    return FOUND;
  }
}
