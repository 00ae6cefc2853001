/** The clipboard. Browsers allow it only while the click is still fresh, so the text may be on its way when the writing begins. */

/** Whether the text was copied. */
export async function copyText(coming: Promise<string>): Promise<boolean> {
  if (typeof ClipboardItem !== "undefined" && navigator.clipboard?.write) {
    const blob = coming.then((text) => new Blob([text], { type: "text/plain" }));
    try {
      await navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
      return true;
    } catch {
      // A refused text is told by the promise itself; a browser that takes no promise is tried the other way.
    }
  }
  const text = await coming;
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
