/** Looks at a screen as it stands: what axe says of it, and its picture at three sizes. */

import { AxeBuilder } from "@axe-core/playwright";
import { SIZES } from "./desk.mjs";
import { UPDATE } from "./pictures.mjs";

/** WCAG 2.2 AA; JIS X 8341-3:2016 AA is a part of it. */
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/** What can be pressed or filled in: at least as large as a finger (44 px). A box to tick counts with its words. */
const TARGETS = "button, summary, a[href], input:not([type=checkbox]):not([type=radio]), label.tick, label.toggle, label.choice-option";
const FINGER = 44;

/** 1366×768 at 200 %, and 1280×1024 at 400 % (WCAG 1.4.10): nothing but tables is scrolled sideways. */
const ZOOMED = { "200%": { width: 683, height: 384 }, "400%": { width: 320, height: 256 } };

export class Looker {
  constructor(gallery) {
    this.gallery = gallery;
    this.violations = [];
    /** Targets that are too small, and screens that are wider than the window. */
    this.misfits = [];
    this.screens = 0;
  }

  /** `hide`: what is another every time. */
  async at(desk, name, hide = []) {
    const { page } = desk;
    this.screens += 1;
    if (!UPDATE) await this.axe(page, name);
    for (const [size, viewport] of Object.entries(SIZES)) {
      await page.setViewportSize(viewport);
      await page.evaluate(() => window.scrollTo(0, 0));
      await page.mouse.move(2, 300);
      if (!UPDATE) await this.fits(page, `${name}-${size}`);
      await this.gallery.hang(`${name}-${size}`, await page.screenshot({ mask: hide.map((part) => page.locator(part)), maskColor: "#cfd8e8", animations: "disabled", caret: "hide" }));
    }
    if (!UPDATE) {
      for (const [zoom, viewport] of Object.entries(ZOOMED)) {
        await page.setViewportSize(viewport);
        await this.fits(page, `${name} at ${zoom}`);
      }
    }
    await page.setViewportSize(SIZES["1366x768"]);
  }

  async fits(page, name) {
    const found = await page.evaluate(
      ([targets, finger]) => {
        const small = [...document.querySelectorAll(targets)].filter((target) => {
          const { width, height } = target.getBoundingClientRect();
          return width > 0 && (width < finger - 0.5 || height < finger - 0.5);
        });
        const { scrollWidth, clientWidth } = document.documentElement;
        return [...small.map((target) => `small: ${target.textContent}`), ...(scrollWidth > clientWidth ? [`${scrollWidth} wide`] : [])];
      },
      [TARGETS, FINGER],
    );
    this.misfits.push(...found.map((what) => `${name}: ${what}`));
  }

  /** One frame, so no page of its own is needed to put the findings together. */
  async axe(page, name) {
    const { violations } = await new AxeBuilder({ page }).withTags(RULES).setLegacyMode(true).analyze();
    for (const { id, nodes } of violations) for (const { target, failureSummary } of nodes) this.violations.push(`${name}: ${id} ${target.join(" ")} ${failureSummary}`);
  }
}
