// JSON as values that become the same JSON again.

// A number that JavaScript would write in another way, such as one of twenty digits, stays as it was written, where the
// browser can do so.
export function parse(text) {
  if (!JSON.rawJSON) return JSON.parse(text);
  return JSON.parse(text, (key, value, { source }) => (
    typeof value === "number" && JSON.stringify(value) !== source ? JSON.rawJSON(source) : value
  ));
}

export const isSame = (one, other) => JSON.stringify(one) === JSON.stringify(other);

// Whether it is an object with names, and neither a list nor a number that is kept as it was written.
export const isObject = (value) => (
  typeof value === "object" && value !== null && !Array.isArray(value) && !JSON.isRawJSON?.(value)
);

// By name, also where a name is one that every object has, such as `constructor`.
export const entriesOf = (values) => new Map(Object.entries(values ?? {}));
