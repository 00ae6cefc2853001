/** Larger drawings: where to hold card or phone. Decoration beside words that say the same, so screen readers pass them over. */

const SVG = "http://www.w3.org/2000/svg";

type Part = readonly [kind: "line" | "soft" | "move" | "mark", d: string];

const READER: readonly Part[] = [
  ["soft", "M50 104h140a12 12 0 0 1 12 12v32a12 12 0 0 1-12 12H50a12 12 0 0 1-12-12v-32a12 12 0 0 1 12-12z"],
  ["line", "M202 132c16 0 18 12 32 12"],
  ["mark", "M106 140a20 20 0 0 1 28 0M111 146a12 12 0 0 1 18 0M100 134a29 29 0 0 1 40 0"],
];

const CARD: readonly Part[] = [
  ["move", "M66 12h108a9 9 0 0 1 9 9v50a9 9 0 0 1-9 9H66a9 9 0 0 1-9-9V21a9 9 0 0 1 9-9z"],
  ["move", "M70 26h28v36H70zM110 30h56M110 43h56M110 56h34"],
];

/** Its upper end, at the right, lies over the mark of the reader. */
const PHONE: readonly Part[] = [
  ["move", "M22 30h108a12 12 0 0 1 12 12v34a12 12 0 0 1-12 12H22a12 12 0 0 1-12-12V42a12 12 0 0 1 12-12z"],
  ["move", "M133 52v14"],
  ["mark", "M112 46a18 18 0 0 0 0 26M104 40a28 28 0 0 0 0 38"],
];

const ARROW: readonly Part[] = [["line", "M120 86v12M114 93l6 6 6-6"]];

const drawings = { card: [...READER, ...CARD, ...ARROW], phone: [...READER, ...PHONE, ["line", "M120 91v9M115 96l5 5 5-5"] as Part] } as const;

export type DrawingName = keyof typeof drawings;

/** A drawing by its name. */
export function drawing(name: DrawingName): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 240 168");
  svg.setAttribute("class", "drawing");
  svg.setAttribute("aria-hidden", "true");
  for (const [kind, d] of drawings[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    path.setAttribute("class", `drawing-${kind}`);
    svg.appendChild(path);
  }
  return svg;
}
