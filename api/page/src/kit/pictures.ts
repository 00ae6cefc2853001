/** Pictures as line paths on 24 × 24 units. */

import { picture } from "./dom";

const shapes = {
  card: ["M3 6h18v12H3z", "M6 10h5v5H6z", "M14 10h4M14 13h4"],
  eye: ["M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12z", "M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z"],
  keypad: ["M5 4h3v3H5zM10.5 4h3v3h-3zM16 4h3v3h-3zM5 9.5h3v3H5zM10.5 9.5h3v3h-3zM16 9.5h3v3h-3zM10.5 15h3v3h-3z"],
  phone: ["M8 2h8a1 1 0 0 1 1 1v18a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1V3a1 1 0 0 1 1-1z", "M11 19h2"],
  reader: ["M4 13h16v6H4z", "M7 13V9M17 13V9", "M9 5c2-1.5 4-1.5 6 0M10.5 7.5c1-.8 2-.8 3 0", "M8 16h8"],
  check: ["M4 12l5 5L20 6"],
  cross: ["M5 5l14 14M19 5L5 19"],
  question: ["M9 9a3 3 0 1 1 4.5 2.6c-1 .6-1.5 1.2-1.5 2.4", "M12 18v.01"],
  many: ["M4 4h12v12H4z", "M8 20h12V8"],
  alert: ["M12 3L2 21h20z", "M12 10v5M12 18v.01"],
  clock: ["M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z", "M12 7v5l3 3"],
  lock: ["M6 11h12v9H6z", "M8 11V8a4 4 0 0 1 8 0v3"],
  copy: ["M8 8h11v12H8z", "M16 8V4H5v12h3"],
  printer: ["M6 9V3h12v6", "M6 18H3V9h18v9h-3", "M7 14h10v7H7z"],
  search: ["M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14z", "M16 16l5 5"],
  info: ["M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z", "M12 11v6M12 7v.01"],
  person: ["M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8z", "M4 21c0-4 3.6-7 8-7s8 3 8 7"],
  key: ["M8 11a4 4 0 1 0 0 8 4 4 0 0 0 0-8z", "M11 12l9-9M16 7l3 3M13 10l2 2"],
} as const;

export type PictureName = keyof typeof shapes;

const made = new Map<string, SVGSVGElement>();

/** A picture by its name. A screen may have the same one twenty times: the browser copies it faster than we make it. */
export function drawn(name: PictureName, size = 24): SVGSVGElement {
  const key = `${name} ${size}`;
  const first = made.get(key) ?? picture(shapes[name], size);
  made.set(key, first);
  return first.cloneNode(true) as SVGSVGElement;
}
