// The colours that programs write for terminals, as elements with classes. Nothing that was written becomes markup.

const SEQUENCE = /\x1b\[([0-9;:]*)m/g;
// All else that steers a terminal is left out: titles, links, cursors.
const OTHERS = /\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)?|\[[0-9;:?<=>!]*[ -/]*[@-~]|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~])|[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;
const COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

function changed(style, codes) {
  const next = { ...style };
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at];
    if (code === 0) Object.assign(next, { colour: "", bold: false, italic: false, underline: false, faint: false });
    else if (code === 1) next.bold = true;
    else if (code === 2) next.faint = true;
    else if (code === 3) next.italic = true;
    else if (code === 4) next.underline = true;
    else if (code === 22) next.bold = next.faint = false;
    else if (code === 23) next.italic = false;
    else if (code === 24) next.underline = false;
    else if (code === 39) next.colour = "";
    else if (code >= 30 && code <= 37) next.colour = COLOURS[code - 30];
    else if (code >= 90 && code <= 97) next.colour = COLOURS[code - 90];
    // Colours out of a palette are not ours to show: what they stand before is read without them.
    else if (code === 38 || code === 48) at += codes[at + 1] === 5 ? 2 : 4;
  }
  return next;
}

function classes(style) {
  const names = Object.entries(style).filter(([name, on]) => on && name !== "colour").map(([name]) => `a-${name}`);
  return style.colour ? [...names, `a-${style.colour}`] : names;
}

// Nodes that show `text`; `marked` is a piece of it, in small letters, that is to be found with the eye.
export function shown(text, marked = "") {
  const nodes = [];
  let style = { colour: "", bold: false, italic: false, underline: false, faint: false };
  const put = (piece) => {
    const clean = piece.replace(OTHERS, "");
    if (!clean) return;
    const names = classes(style);
    const holder = names.length ? document.createElement("span") : document.createDocumentFragment();
    if (names.length) holder.className = names.join(" ");
    holder.append(...withMarks(clean, marked));
    nodes.push(holder);
  };
  let end = 0;
  for (const found of text.matchAll(SEQUENCE)) {
    put(text.slice(end, found.index));
    style = changed(style, found[1].split(/[;:]/).map(Number));
    end = found.index + found[0].length;
  }
  put(text.slice(end));
  return nodes;
}

function withMarks(text, marked) {
  if (!marked) return [text];
  const nodes = [];
  const small = text.toLowerCase();
  let end = 0;
  // Letters whose small form is longer would shift what follows.
  for (let at = small.length === text.length ? small.indexOf(marked) : -1; at >= 0; at = small.indexOf(marked, end)) {
    const mark = document.createElement("mark");
    mark.textContent = text.slice(at, at + marked.length);
    nodes.push(text.slice(end, at), mark);
    end = at + marked.length;
  }
  return [...nodes, text.slice(end)];
}
