// The form for a run: fields for its parameters, and the same as JSON.
import { Fields } from "./fields.js";
import { entriesOf, isObject, parse } from "./json.js";
import { ask, tell } from "./page.js";
import { Presets } from "./presets.js";
import { withoutSecrets } from "./schema.js";

const root = document.querySelector('meta[name="root"]').content;

// The schema of the parameters, where what the deployment gives is what is usual.
function schemaOf(form) {
  const schema = parse(form.dataset.schema);
  const usual = entriesOf(parse(form.dataset.usual));
  const properties = Object.entries(schema.properties ?? {}).map(([name, of]) => (
    [name, usual.has(name) ? { ...of, default: usual.get(name) } : of]
  ));
  const required = (schema.required ?? []).filter((name) => !usual.has(name));
  return { ...schema, properties: Object.fromEntries(properties), required };
}

export class RunForm {
  constructor(form) {
    this.form = form;
    this.schema = schemaOf(form);
    this.place = form.querySelector(".given");
    this.fields = new Fields(this.schema, this.schema);
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
    if (form.dataset.isLike !== undefined) this.fill(parse(form.dataset.last));
  }

  put() {
    this.place.replaceChildren(...(this.isJson ? [this.area] : this.fields.elements));
    if (!this.isJson && !this.fields.all.length) this.place.textContent = "It takes no parameters.";
    this.form.querySelector("[data-as-json]").setAttribute("aria-pressed", String(this.isJson));
  }

  given() {
    if (!this.isJson) return Object.fromEntries([...this.others, ...this.fields.given()]);
    const value = this.written();
    if (!isObject(value)) throw new Error("Give an object: names with values.");
    return value;
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
    this.fields.fill(this.others);
    for (const field of this.fields.all) this.others.delete(field.name);
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

  // What else is said of the run.
  get more() {
    const { scheduled_at: due, name, tags } = this.form.elements;
    return {
      ...(due.value && { scheduled_at: new Date(due.value).toISOString() }),
      ...(name.value.trim() && { name: name.value.trim() }),
      tags: tags.value.split(",").map((tag) => tag.trim()).filter(Boolean),
    };
  }

  async run() {
    try {
      const made = await ask("POST", this.form.dataset.post, { parameters: this.given(), ...this.more });
      location.href = `${root}/runs/${made.id}`;
    } catch (error) {
      // What the server says of a field; what a field says of itself stays.
      for (const [path, text] of entriesOf(error.said?.fields)) this.fields.tell(path, text);
      tell(error.message);
    }
  }
}

for (const form of document.querySelectorAll("form.run")) {
  const made = new RunForm(form);
  const presets = form.querySelector(".presets");
  if (presets) new Presets(presets, `flowsource-presets ${root}${form.dataset.post}`, {
    given: () => withoutSecrets(made.given(), made.schema, made.schema) ?? {},
    fill: (values) => made.fill(values),
  });
}
