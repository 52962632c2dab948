// The form for a run, out of the schema of its parameters. What a field cannot hold is edited as JSON, so that nothing
// is lost between the form and the JSON behind it. A field that is left empty has its usual value.
import { ask, tell } from "./page.js";

// JSON as a value that becomes the same JSON again: a number that JavaScript would write in another way, such as one of
// twenty digits, stays as it was written, where the browser can do so.
function parse(text) {
  if (!JSON.rawJSON) return JSON.parse(text);
  return JSON.parse(text, (key, value, { source }) => (
    typeof value === "number" && JSON.stringify(value) !== source ? JSON.rawJSON(source) : value
  ));
}

const isSame = (one, other) => JSON.stringify(one) === JSON.stringify(other);
// By name, also where a name is one that every object has, such as `constructor`.
const entriesOf = (values) => new Map(Object.entries(values ?? {}));

const root = document.querySelector('meta[name="root"]').content;

// What `of` says once its references are followed, which lead to places in the same schema.
function resolved(of, schema, depth = 0) {
  if (!of || typeof of !== "object" || depth > 20) return {};
  const { $ref, ...rest } = of;
  if (typeof $ref === "string" && $ref.startsWith("#/")) {
    let found = schema;
    for (const part of $ref.slice(2).split("/")) found = entriesOf(found).get(part.replaceAll("~1", "/").replaceAll("~0", "~"));
    return { ...resolved(found, schema, depth + 1), ...rest };
  }
  if (Array.isArray(of.allOf) && of.allOf.length === 1) return { ...resolved(of.allOf[0], schema, depth + 1), ...rest };
  const others = Array.isArray(of.anyOf) ? of.anyOf.filter((one) => one?.type !== "null") : [];
  if (others.length === 1) return { ...resolved(others[0], schema, depth + 1), ...rest, isOptional: true };
  return of;
}

function kindOf(of) {
  if (Array.isArray(of.enum) && of.enum.every((one) => typeof one === "string")) return "choice";
  if (of.type === "boolean") return "boolean";
  if (of.type === "integer" || of.type === "number") return "number";
  if (of.type === "string" && of.format === "date") return "date";
  if (of.type === "string") return "text";
  return "json";
}

class Field {
  constructor(name, of, schema, isRequired) {
    this.name = name;
    this.of = resolved(of, schema);
    this.isRequired = isRequired;
    this.kind = kindOf(this.of);
    this.usual = this.of.default;
    this.element = document.createElement("div");
    this.element.className = "field";
    this.make(this.kind);
  }

  make(kind) {
    this.kind = kind;
    const id = `parameter-${this.name}`;
    const label = document.createElement("label");
    label.htmlFor = id;
    label.textContent = this.name;
    const about = document.createElement("span");
    about.className = "faint";
    about.textContent = [
      typeof this.of.description === "string" ? this.of.description : "",
      kind === "json" ? "written as JSON" : "",
      kind === "date" && this.usual !== undefined ? `usual: ${JSON.stringify(this.usual)}` : "",
      this.isRequired ? "required" : "",
    ].filter(Boolean).join(" · ");
    this.input = this.control(kind);
    this.input.id = id;
    this.problem = document.createElement("span");
    this.problem.className = "bad";
    this.problem.setAttribute("role", "alert");
    this.element.replaceChildren(label, this.input, about, this.problem);
  }

  control(kind) {
    const usual = this.usual === undefined ? "" : JSON.stringify(this.usual);
    if (kind === "choice" || kind === "boolean") {
      const select = document.createElement("select");
      select.append(new Option(this.isRequired ? "choose …" : `usual${usual ? `: ${usual}` : ""}`, ""));
      for (const one of kind === "boolean" ? ["true", "false"] : this.of.enum) select.append(new Option(one, JSON.stringify(one)));
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
    input.type = kind === "number" ? "text" : kind;
    if (kind === "number") input.inputMode = "decimal";
    if (kind !== "date") input.placeholder = usual;
    input.autocomplete = "off";
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
    this.show(value, typeof value === "object" ? "json" : kindOf(this.of));
    // What its own kind of control does not hold, such as text of several lines or no day that there is.
    if (!this.holds(value)) this.show(value, "json");
  }

  show(value, kind) {
    if (kind !== this.kind) this.make(kind);
    if (value === undefined) this.input.value = "";
    else if (kind === "text" || kind === "date") this.input.value = value;
    else if (kind === "boolean") this.input.value = String(value);
    else this.input.value = JSON.stringify(value, null, kind === "json" ? 2 : undefined);
  }

  holds(value) {
    try {
      return isSame(this.value, value);
    } catch {
      return false;
    }
  }
}

export class RunForm {
  constructor(form) {
    this.form = form;
    this.schema = parse(form.dataset.schema);
    this.place = form.querySelector(".given");
    const required = this.schema.required ?? [];
    const usual = entriesOf(parse(form.dataset.usual));
    this.fields = Object.entries(this.schema.properties ?? {}).map(([name, of]) => {
      const known = usual.has(name) ? { ...of, default: usual.get(name) } : of;
      return new Field(name, known, this.schema, required.includes(name) && !usual.has(name));
    });
    this.area = document.createElement("textarea");
    this.area.rows = 10;
    this.area.spellcheck = false;
    this.area.setAttribute("aria-label", "Parameters as JSON");
    // What is given and has no field: of flows that take any names.
    this.others = new Map();
    this.isJson = false;
    this.put();
    form.addEventListener("submit", (event) => { event.preventDefault(); this.run(); });
    form.querySelector("[data-as-json]").addEventListener("click", () => this.turn());
    form.querySelector("[data-as-last]")?.addEventListener("click", () => this.fill(parse(form.dataset.last)));
  }

  put() {
    this.place.replaceChildren(...(this.isJson ? [this.area] : this.fields.map((field) => field.element)));
    if (!this.isJson && !this.fields.length) this.place.textContent = "It takes no parameters.";
    this.form.querySelector("[data-as-json]").setAttribute("aria-pressed", String(this.isJson));
  }

  given() {
    if (this.isJson) {
      const value = this.written();
      if (!value || typeof value !== "object" || Array.isArray(value)) throw new Error("Give an object: names with values.");
      return value;
    }
    const found = new Map(this.others);
    let isWrong = false;
    for (const field of this.fields) {
      field.problem.textContent = "";
      try {
        const value = field.value;
        if (value !== undefined) found.set(field.name, value);
      } catch (error) {
        field.problem.textContent = error.message;
        isWrong = true;
      }
    }
    if (isWrong) throw new Error("Correct what is marked.");
    return Object.fromEntries(found);
  }

  written() {
    try {
      return parse(this.area.value || "{}");
    } catch (error) {
      throw new Error(`This is not JSON: ${error.message}`);
    }
  }

  fill(values) {
    this.others = entriesOf(values);
    for (const field of this.fields) {
      field.value = this.others.get(field.name);
      this.others.delete(field.name);
    }
    this.area.value = JSON.stringify(values, null, 2);
  }

  turn() {
    try {
      this.fill(this.given());
      this.isJson = !this.isJson;
      this.put();
    } catch (error) {
      tell(error.message);
    }
  }

  async run() {
    try {
      const made = await ask("POST", this.form.dataset.post, { parameters: this.given() });
      location.href = `${root}/runs/${made.id}`;
    } catch (error) {
      // What the server says of a field; what a field says of itself stays.
      const told = entriesOf(error.said?.fields);
      for (const field of this.fields) if (told.has(field.name)) field.problem.textContent = told.get(field.name);
      tell(error.message);
    }
  }
}

for (const form of document.querySelectorAll("form.run")) new RunForm(form);
