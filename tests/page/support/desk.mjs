/** A front desk: a browser, and somebody who works with the page as people do, by what it says on the screen. */

import { chromium } from "playwright-core";
import { account, code, PAGE } from "./sandbox.mjs";

/** The sizes that the page is made for. */
export const SIZES = { "1366x768": { width: 1366, height: 768 }, "1920x1080": { width: 1920, height: 1080 }, "768x1024": { width: 768, height: 1024 } };

const ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--lang=ja-JP", "--force-color-profile=srgb", "--font-render-hinting=none"];

/** How long anything may take to appear; generous, since nothing waits for it in vain. */
const PATIENCE = 60_000;

/** Debian's Chromium. One that does not come up on a busy machine says nothing about the page: it is started once more, and that is told. */
export function browser(more = []) {
  const start = () => chromium.launch({ executablePath: "/usr/bin/chromium", args: [...ARGUMENTS, ...more], env: { ...process.env, LANGUAGE: "ja" }, timeout: PATIENCE });
  return start().catch((error) => {
    console.error(`Chromium did not start: ${error.message}`);
    return start();
  });
}

/** Everybody who sits at a desk now. */
const seated = new Set();

/** Everybody leaves, whatever came of their work: a check that goes on would hold the reader. */
export async function clear() {
  for (const desk of seated) await desk.close();
}

export class Desk {
  /** Sits down at a new browser window of its own. */
  static async open(chrome, options = {}) {
    const context = await chrome.newContext({ viewport: SIZES["1366x768"], locale: "ja-JP", timezoneId: "Asia/Tokyo", reducedMotion: "reduce", ...options });
    context.setDefaultTimeout(PATIENCE);
    const desk = new Desk(context, await context.newPage());
    seated.add(desk);
    await desk.page.goto(PAGE);
    return desk;
  }

  constructor(context, page) {
    this.context = context;
    this.page = page;
    /** Whatever the browser complained about. */
    this.complaints = [];
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && this.complaints.push(message.text()));
    page.on("pageerror", (error) => this.complaints.push(String(error)));
  }

  /** Fills in the sign-in and sends it; with a new account of a role, or with one that exists. */
  async signIn(who = "operator") {
    const credentials = typeof who === "string" ? await account(who) : who;
    await this.fillSignIn(credentials);
    await this.press("ログイン");
    await this.heading(/本人確認の方法|運営からのお知らせ|パスワードの変更/);
    return credentials;
  }

  async fillSignIn(credentials) {
    await this.page.getByLabel("機関コード").fill(credentials.institution_code);
    await this.page.getByLabel("アカウント名").fill(credentials.account);
    await this.page.getByLabel("パスワード", { exact: true }).fill(credentials.password);
    await this.page.getByLabel("認証アプリの6桁の数字").fill(await code(credentials.account));
  }

  press(name, options = {}) {
    return this.page.getByRole("button", { name, exact: typeof name === "string", ...options }).first().click();
  }

  /** Waits until a screen's heading says this. */
  async heading(text) {
    await this.page.getByRole("heading", { level: 1, name: text }).waitFor({ state: "attached" });
  }

  /** Goes to a place of the navigation. */
  async go(place) {
    await this.page.getByRole("navigation", { name: "画面" }).getByRole("button", { name: place }).click();
  }

  /** Begins a check with a method of the first screen. */
  async begin(method) {
    await this.page.locator(`[data-method=${method}]`).click();
  }

  /** Enters a PIN on the pad. */
  async pin(digits) {
    await this.heading("暗証番号を入力してください");
    for (const digit of digits) await this.page.getByRole("group", { name: "数字" }).getByRole("button", { name: digit, exact: true }).click();
  }

  /** The word of the verdict, once the result is there to its end. */
  async verdict() {
    const word = this.page.locator(".verdict-word");
    await word.waitFor();
    await this.page.getByRole("region", { name: "困ったとき" }).waitFor();
    return word.textContent();
  }

  close() {
    seated.delete(this);
    return this.context.close();
  }
}
