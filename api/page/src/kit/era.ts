/** Japanese dates for people. Values come as `YYYYMMDD` or RFC 3339 in Japan time; nothing here asks the PC's clock or time zone. */

const ERAS: readonly (readonly [string, string])[] = [
  ["20190501", "令和"],
  ["19890108", "平成"],
  ["19261225", "昭和"],
  ["19120730", "大正"],
  ["18680125", "明治"],
];

/** `19540502` → 昭和29年5月2日; what is no date stays as it is. */
export function inEra(day: string): string {
  const parts = /^(\d{4})(\d{2})(\d{2})$/.exec(day);
  const era = ERAS.find(([first]) => day >= first);
  if (!parts || !era) return day;
  const year = Number(parts[1]) - Number(era[0].slice(0, 4)) + 1;
  return `${era[1]}${year === 1 ? "元" : year}年${Number(parts[2])}月${Number(parts[3])}日`;
}

/** `20250401` → 2025年04月01日; what is no date stays as it is. */
export function inFull(day: string): string {
  const parts = /^(\d{4})(\d{2})(\d{2})$/.exec(day);
  return parts ? `${parts[1]}年${parts[2]}月${parts[3]}日` : day;
}

/** `2026-07-08T12:00:00+09:00` → 2026年07月08日 12時00分. */
export function moment(at: string): string {
  const parts = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2})/.exec(at);
  return parts ? `${parts[1]}年${parts[2]}月${parts[3]}日 ${parts[4]}時${parts[5]}分` : at;
}

/** `2026-07-08` → 2026年07月08日. */
export function plainDay(day: string): string {
  return inFull(day.split("-").join(""));
}

/** `2026-09-01T00:00:00+09:00`, the first instant at which something is gone → 2026年08月31日, the last day it is there. */
export function lastDayBefore(at: string): string {
  const parts = /^(\d{4})-(\d{2})-(\d{2})/.exec(at);
  if (!parts) return at;
  const day = new Date(Date.UTC(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3]) - 1));
  const two = (value: number) => String(value).padStart(2, "0");
  return `${day.getUTCFullYear()}年${two(day.getUTCMonth() + 1)}月${two(day.getUTCDate())}日`;
}
