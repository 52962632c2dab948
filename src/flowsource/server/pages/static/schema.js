// What the schema of a parameter says of it.
import { entriesOf, isObject } from "./json.js";

const DEEPEST = 5;

// What `of` says once its references are followed, which lead to places in the same schema.
export function resolved(of, schema, depth = 0) {
  if (!of || typeof of !== "object" || depth > 20) return {};
  const { $ref, ...rest } = of;
  if (typeof $ref === "string" && $ref.startsWith("#/")) {
    let found = schema;
    for (const part of $ref.slice(2).split("/")) found = entriesOf(found).get(part.replaceAll("~1", "/").replaceAll("~0", "~"));
    return { ...resolved(found, schema, depth + 1), ...rest };
  }
  if (Array.isArray(of.allOf) && of.allOf.length === 1) return { ...resolved(of.allOf[0], schema, depth + 1), ...rest };
  const others = Array.isArray(of.anyOf) ? of.anyOf.filter((one) => one?.type !== "null") : [];
  if (others.length === 1) return { ...resolved(others[0], schema, depth + 1), ...rest };
  return of;
}

// What holds a value of it, `depth` objects down.
export function kindOf(of, depth) {
  if (Array.isArray(of.enum) && of.enum.every((one) => typeof one === "string")) return "choice";
  if (of.type === "boolean") return "boolean";
  if (of.type === "integer" || of.type === "number") return "number";
  if (of.type === "string" && of.format === "date") return "date";
  if (of.type === "string") return "text";
  if (of.type === "object" && depth < DEEPEST && isObject(of.properties) && Object.keys(of.properties).length) return "group";
  return "json";
}

export const isSecret = (of) => of.writeOnly === true || of.format === "password";

// Whether anything that `of` says is, or may hold, a secret. What was looked at is not looked at again: a model may
// hold itself.
function tellsSecret(of, schema, seen = new Set()) {
  if (!of || typeof of !== "object" || seen.has(of)) return false;
  seen.add(of);
  if (isSecret(of)) return true;
  const found = typeof of.$ref === "string" ? [resolved({ $ref: of.$ref }, schema)] : [];
  return [...Object.values(of), ...found].some((one) => tellsSecret(one, schema, seen));
}

// `value` without what `said` calls a secret; undefined where nothing is left. Of what is no object all goes, where any
// of it may be one.
export function withoutSecrets(value, said, schema) {
  const of = resolved(said, schema);
  if (!isObject(value) || !isObject(of.properties) || isSecret(of)) return tellsSecret(said, schema) ? undefined : value;
  const known = entriesOf(of.properties);
  const kept = Object.entries(value).map(([name, each]) => (
    [name, withoutSecrets(each, known.has(name) ? known.get(name) : of.additionalProperties, schema)]
  ));
  return Object.fromEntries(kept.filter(([, each]) => each !== undefined));
}
