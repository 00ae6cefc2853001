/** Draws the daemon's QR code. Its SVG is never parsed as markup: only the path of the dark modules and the size are taken out of it. */

import { banner } from "./parts";

const SVG = "http://www.w3.org/2000/svg";

export function qr(source: string, label: string): Element {
  const path = / d="([MmHhVvLlZz0-9 .,-]+)"/.exec(source)?.[1];
  const box = / viewBox="([0-9 .]+)"/.exec(source)?.[1];
  if (path === undefined || box === undefined) return banner("error", "二次元コードを表示できません。");
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", box);
  svg.setAttribute("class", "qr");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  const modules = document.createElementNS(SVG, "path");
  modules.setAttribute("d", path);
  svg.appendChild(modules);
  return svg;
}
