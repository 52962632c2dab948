// Fields for the values of an object, out of its schema: an object inside it has fields of its own, and what no field
// can hold is written as JSON, so that nothing is lost. A field that is left empty has its usual value.
import { entriesOf, isObject, isSame, parse } from "./json.js";
import { isSecret, kindOf, resolved } from "./schema.js";

let made = 0;

// What is wrong is told where it is.
class Marked extends Error {
  constructor() {
    super("Correct what is marked.");
  }
}

// Something to put a value into: a box for one that has one part, or for what is written as JSON.
class Control {
  constructor(field, kind) {
    const label = document.createElement("label");
    label.textContent = field.name;
    this.kind = kind;
    this.input = this.made(field, field.usual === undefined ? "" : JSON.stringify(field.usual));
    this.input.id = label.htmlFor = `parameter-${made += 1}`;
    this.parts = [label, this.input, field.about(
      kind === "json" ? "written as JSON" : "",
      kind === "date" && field.usual !== undefined ? `usual: ${JSON.stringify(field.usual)}` : "",
    )];
  }

  made(field, usual) {
    const { kind } = this;
    if (kind === "choice" || kind === "boolean") {
      const select = document.createElement("select");
      select.append(new Option(field.isRequired ? "choose …" : `usual${usual ? `: ${usual}` : ""}`, ""));
      for (const one of kind === "boolean" ? ["true", "false"] : field.of.enum) select.append(new Option(one, JSON.stringify(one)));
      return select;
    }
    if (kind === "json") {
      const area = document.createElement("textarea");
      area.rows = 3;
      area.placeholder = usual;
      area.spellcheck = false;
      return area;
    }
    const input = document.createElement("input");
    const isHidden = kind === "text" && isSecret(field.of);
    input.type = isHidden ? "password" : kind === "number" ? "text" : kind;
    if (kind === "number") input.inputMode = "decimal";
    if (kind !== "date") input.placeholder = usual;
    input.autocomplete = isHidden ? "new-password" : "off";
    return input;
  }

  // The value that is given here, or undefined for the usual one; throws what is no value.
  get value() {
    const said = this.input.value;
    if (said === "") return undefined;
    if (this.kind === "choice") return parse(said);
    if (this.kind === "boolean") return said === "true";
    if (this.kind === "text" || this.kind === "date") return said;
    try {
      return parse(said);
    } catch {
      throw new Error(this.kind === "number" ? "give a number" : "this is not JSON");
    }
  }

  set value(value) {
    if (value === undefined) this.input.value = "";
    else if (this.kind === "text" || this.kind === "date") this.input.value = value;
    else if (this.kind === "boolean") this.input.value = String(value);
    else this.input.value = JSON.stringify(value, null, this.kind === "json" ? 2 : undefined);
  }

  holds(value) {
    try {
      return isSame(this.value, value);
    } catch {
      return false;
    }
  }

  // It has no parts that anything could be said of.
  tell() {
    return false;
  }
}

// The fields of an object inside an object. A tick says whether it is given at all.
class Group {
  constructor(field) {
    this.kind = "group";
    this.field = field;
    this.tick = document.createElement("input");
    this.tick.type = "checkbox";
    this.tick.addEventListener("change", () => this.turn());
    const label = document.createElement("label");
    label.append(this.tick, ` ${field.name}`);
    const legend = document.createElement("legend");
    legend.append(label);
    this.place = document.createElement("div");
    const whole = document.createElement("fieldset");
    whole.append(legend, field.about(field.usual === undefined ? "" : `usual: ${JSON.stringify(field.usual)}`), this.place);
    this.parts = [whole];
    this.put(field.isRequired ? this.fresh() : null);
  }

  fresh() {
    return new Fields(this.field.of, this.field.schema, this.field.depth + 1);
  }

  // Fields are made when they are wanted: a model may hold itself.
  put(fields) {
    this.fields = fields;
    this.tick.checked = fields !== null;
    this.place.replaceChildren(...(fields?.elements ?? []));
  }

  // What is given takes the place of what is usual, so that it begins with that.
  turn() {
    const { usual } = this.field;
    if (!this.tick.checked) this.put(null);
    else if (isObject(usual) && this.holds(usual)) this.value = usual;
    else this.put(this.fresh());
  }

  get value() {
    return this.fields ? Object.fromEntries(this.fields.given()) : undefined;
  }

  set value(value) {
    this.put(value === undefined ? null : this.fresh());
    this.fields?.fill(entriesOf(value));
  }

  holds(value) {
    const known = entriesOf(this.field.of.properties);
    return value === undefined || (isObject(value) && Object.keys(value).every((name) => known.has(name)));
  }

  tell(path, text) {
    return this.fields?.tell(path, text) ?? false;
  }
}

class Field {
  constructor(name, of, schema, isRequired, depth) {
    Object.assign(this, { name, of: resolved(of, schema), schema, isRequired, depth });
    this.usual = this.of.default;
    this.ownKind = kindOf(this.of, depth);
    this.element = document.createElement("div");
    this.problem = document.createElement("span");
    this.problem.className = "bad";
    this.problem.setAttribute("role", "alert");
    this.use(this.ownKind);
  }

  use(kind) {
    if (kind === this.holder?.kind) return;
    this.holder = kind === "group" ? new Group(this) : new Control(this, kind);
    this.element.className = kind === "group" ? "group" : "field";
    this.element.replaceChildren(...this.holder.parts, this.problem);
  }

  about(...more) {
    const about = document.createElement("span");
    about.className = "faint";
    const { description } = this.of;
    const said = [typeof description === "string" ? description : "", ...more, this.isRequired ? "required" : ""];
    about.textContent = said.filter(Boolean).join(" · ");
    return about;
  }

  get value() {
    return this.holder.value;
  }

  // What its own kind does not hold, such as text of several lines, no day that there is, or a name that is not known,
  // is written as JSON.
  set value(value) {
    this.use(typeof value === "object" && this.ownKind !== "group" ? "json" : this.ownKind);
    this.holder.value = value;
    if (this.holder.holds(value)) return;
    this.use("json");
    this.holder.value = value;
  }

  // Say `text` of what is at `path` inside it, or of it where nothing there can be marked.
  tell(path, text) {
    if (!path || !this.holder.tell(path, text)) this.problem.textContent = path ? `${path}: ${text}` : text;
  }
}

export class Fields {
  constructor(of, schema, depth = 0) {
    const required = Array.isArray(of.required) ? of.required : [];
    this.all = Object.entries(of.properties ?? {}).map(([name, each]) => (
      new Field(name, each, schema, required.includes(name), depth)
    ));
  }

  get elements() {
    return this.all.map((field) => field.element);
  }

  // The values that are given, by name; marks what is none, and throws.
  given() {
    const found = new Map();
    let isWrong = false;
    for (const field of this.all) {
      field.problem.textContent = "";
      try {
        const { value } = field;
        if (value !== undefined) found.set(field.name, value);
      } catch (error) {
        if (!(error instanceof Marked)) field.problem.textContent = error.message;
        isWrong = true;
      }
    }
    if (isWrong) throw new Marked();
    return found;
  }

  // Hold `values`, by name; those that have no field are left.
  fill(values) {
    for (const field of this.all) field.value = values.get(field.name);
  }

  // Say `text` of what is at `path`, such as `limits.rows`; whether there is a field for it.
  tell(path, text) {
    const field = this.all.find(({ name }) => path === name || path.startsWith(`${name}.`));
    field?.tell(path.slice(field.name.length + 1), text);
    return field !== undefined;
  }
}
