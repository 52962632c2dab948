// The form for a run, out of the schema of its parameters. What a field cannot hold is edited as JSON, so that nothing
// is lost between the form and the JSON behind it. A field that is left empty has its usual value.
import { ask, tell } from "./page.js";

const root = document.querySelector('meta[name="root"]').content;

// What `of` says once its references are followed, which lead to places in the same schema.
function resolved(of, schema, depth = 0) {
  if (!of || typeof of !== "object" || depth > 20) return {};
  const { $ref, ...rest } = of;
  if (typeof $ref === "string" && $ref.startsWith("#/")) {
    let found = schema;
    for (const part of $ref.slice(2).split("/")) found = found?.[part.replaceAll("~1", "/").replaceAll("~0", "~")];
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
    about.textContent = [this.of.description, kind === "json" ? "JSON" : "", this.isRequired ? "required" : ""].filter(Boolean).join(" · ");
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
    if (this.kind === "choice") return JSON.parse(said);
    if (this.kind === "boolean") return said === "true";
    if (this.kind === "text" || this.kind === "date") return said;
    try {
      return JSON.parse(said);
    } catch {
      throw new Error(this.kind === "number" ? "give a number" : "this is not JSON");
    }
  }

  set value(value) {
    const natural = kindOf(this.of);
    const fits = value === undefined
      || (natural === "text" && typeof value === "string" && value !== "" && !value.includes("\n"))
      || (natural === "date" && typeof value === "string" && /^\d{4}-\d\d-\d\d$/.test(value))
      || (natural === "number" && typeof value === "number")
      || (natural === "boolean" && typeof value === "boolean")
      || (natural === "choice" && this.of.enum.includes(value));
    const kind = fits ? natural : "json";
    if (kind !== this.kind) this.make(kind);
    if (value === undefined) this.input.value = "";
    else if (kind === "text" || kind === "date") this.input.value = value;
    else if (kind === "boolean") this.input.value = String(value);
    else this.input.value = JSON.stringify(value, null, kind === "json" ? 2 : undefined);
  }
}

class RunForm {
  constructor(form) {
    this.form = form;
    this.schema = JSON.parse(form.dataset.schema);
    this.place = form.querySelector(".given");
    const required = this.schema.required ?? [];
    const usual = JSON.parse(form.dataset.usual);
    this.fields = Object.entries(this.schema.properties ?? {}).map(([name, of]) => {
      const known = name in usual ? { ...of, default: usual[name] } : of;
      return new Field(name, known, this.schema, required.includes(name) && !(name in usual));
    });
    this.area = document.createElement("textarea");
    this.area.rows = 10;
    this.area.spellcheck = false;
    this.area.setAttribute("aria-label", "Parameters as JSON");
    // What is given and has no field: of flows that take any names.
    this.others = {};
    this.isJson = false;
    this.put();
    form.addEventListener("submit", (event) => { event.preventDefault(); this.run(); });
    form.querySelector("[data-as-json]").addEventListener("click", () => this.turn());
    form.querySelector("[data-as-last]")?.addEventListener("click", () => this.fill(JSON.parse(form.dataset.last)));
  }

  put() {
    this.place.replaceChildren(...(this.isJson ? [this.area] : this.fields.map((field) => field.element)));
    if (!this.isJson && !this.fields.length) this.place.textContent = "It takes no parameters.";
    this.form.querySelector("[data-as-json]").setAttribute("aria-pressed", String(this.isJson));
  }

  given() {
    if (this.isJson) {
      const value = JSON.parse(this.area.value || "{}");
      if (!value || typeof value !== "object" || Array.isArray(value)) throw new Error("Give an object: names with values.");
      return value;
    }
    const found = { ...this.others };
    let isWrong = false;
    for (const field of this.fields) {
      field.problem.textContent = "";
      try {
        const value = field.value;
        if (value !== undefined) found[field.name] = value;
      } catch (error) {
        field.problem.textContent = error.message;
        isWrong = true;
      }
    }
    if (isWrong) throw new Error("Correct what is marked.");
    return found;
  }

  fill(values) {
    const names = new Set(this.fields.map((field) => field.name));
    this.others = Object.fromEntries(Object.entries(values).filter(([name]) => !names.has(name)));
    for (const field of this.fields) field.value = values[field.name];
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
      for (const field of this.fields) if (error.said?.fields?.[field.name]) field.problem.textContent = error.said.fields[field.name];
      tell(error.message);
    }
  }
}

for (const form of document.querySelectorAll("form.run")) new RunForm(form);
