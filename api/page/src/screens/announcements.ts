/** Announcements (運営からのお知らせ): what is new first, after sign-in and whenever asked for. */

import { call, type Schemas } from "../api";
import { attempt, type Screen, show } from "../frame";
import { fill, h } from "../kit/dom";
import { moment } from "../kit/era";
import { heading, primary } from "../kit/parts";
import { desk } from "../state";
import { home } from "./home";

const KINDS: Record<Schemas["AnnouncementKind"], string> = { notice: "お知らせ", outage: "障害", maintenance: "メンテナンス" };

export function announcements(): Screen {
  const place = h("div", {});
  const list = h("ul", { class: "news" });

  async function look(): Promise<void> {
    const fresh = await attempt(place, () => call<Schemas["AnnouncementList"]>("GET", "/v1/announcements"));
    if (!fresh) return;
    desk.announcements = { ...fresh, new_count: 0 };
    fill(list, fresh.announcements.length === 0 ? h("li", {}, "お知らせはありません。") : fresh.announcements.map(entry));
  }

  void look();
  return {
    title: "お知らせ",
    body: [heading("運営からのお知らせ"), place, list, h("div", { class: "actions" }, primary("資格確認へ", () => show(home()), { "data-focus": "" }))],
  };
}

function entry(news: Schemas["Announcement"]): HTMLElement {
  return h(
    "li",
    { class: `panel news-${news.kind}` },
    h("p", { class: "news-head" }, h("span", { class: `label label-${news.kind}` }, KINDS[news.kind]), news.new && h("span", { class: "badge" }, "新着"), h("span", { class: "news-when" }, moment(news.published_at))),
    h("h2", {}, news.title),
    news.closure && h("p", { class: "news-closure" }, `停止の予定：${moment(news.closure.from)} から ${moment(news.closure.until)} まで`, news.closure.scope === "everything" ? "（すべて）" : "（健康保険証利用登録）"),
    news.body?.split("\n").map((line) => h("p", {}, line)),
    news.url && h("p", {}, h("a", { href: news.url, rel: "noreferrer noopener", target: "_blank" }, "詳しい内容（別の画面で開きます）")),
  );
}
