/** Builds elements. The only way in which this page makes them: text is always text, markup is never parsed. */

export type Child = Node | string | number | null | undefined | false | readonly Child[];

type Handlers = { [K in keyof HTMLElementEventMap as `on${K}`]?: (event: HTMLElementEventMap[K]) => void };

export type Attributes = Handlers & {
  class?: string;
  [name: `aria-${string}`]: string | boolean | undefined;
  [name: `data-${string}`]: string | undefined;
  [name: string]: unknown;
};

const PROPERTIES = new Set(["value", "checked", "disabled", "selected", "hidden", "required", "readOnly", "htmlFor", "tabIndex"]);

/** An element with attributes and children. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value as EventListener);
    else if (PROPERTIES.has(name)) Reflect.set(element, name, value);
    else if (value === true && !name.startsWith("aria-")) element.setAttribute(name, "");
    else if (value !== false || name.startsWith("aria-")) element.setAttribute(name, String(value));
  }
  append(element, children);
  return element;
}

/** Puts children behind what is there. */
export function append(parent: Node, children: readonly Child[]): void {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) append(parent, child as readonly Child[]);
    else parent.appendChild(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** Puts children in the place of what is there. */
export function fill(parent: Element, ...children: Child[]): void {
  parent.replaceChildren();
  append(parent, children);
}

/** Does work once what is on the screen now has been painted. */
export function later(work: () => void): void {
  requestAnimationFrame(() => window.setTimeout(work));
}

const SVG = "http://www.w3.org/2000/svg";

/** A picture made of paths on a square of 24 units; decoration only, so screen readers pass it over. */
export function picture(paths: readonly string[], size = 24): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("width", String(size));
  svg.setAttribute("height", String(size));
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", "picture");
  for (const d of paths) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.appendChild(path);
  }
  return svg;
}

let counter = 0;

/** An id that no other element has. */
export function unique(prefix: string): string {
  counter += 1;
  return `${prefix}-${counter}`;
}
