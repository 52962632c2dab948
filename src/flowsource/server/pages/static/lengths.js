// Lengths of time as a person writes them: "90", "15 min", "1h30m".

const UNITS = { s: 1, m: 60, min: 60, h: 3600, d: 86400 };
const PART = /(\d+(?:\.\d+)?)\s*(s|min|m|h|d)/g;
const LONGEST = 36525 * UNITS.d;

// In seconds; null for what is none.
export function seconds(text) {
  const said = text.trim();
  if (/^\d+(?:\.\d+)?$/.test(said)) return Number(said);
  const parts = [...said.matchAll(PART)];
  if (!parts.length || said.replace(PART, "").trim()) return null;
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNITS[unit], 0);
}

// What a field says, in seconds; undefined where it says nothing. Throws where that is none, by the name of the field.
export function lengthIn(field) {
  if (!field.value.trim()) return undefined;
  const found = seconds(field.value);
  if (found !== null && found <= LONGEST) return found;
  throw new Error(`${field.labels[0].textContent}: give a length of time, such as 90 s, 15 min, 2 h or 1 d.`);
}
