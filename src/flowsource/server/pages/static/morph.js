// Makes one element like another with as few changes as can be, so that what is looked at stays where it is.

function sameKind(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName && (one.id ?? "") === (other.id ?? "");
}

function likenAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
}

export function morph(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  // What a person is at, or what looks after itself, is left alone.
  if (old.hasAttribute("data-own") || (old === document.activeElement && old.matches("input, textarea, select"))) return;
  if (old.nodeName === "DETAILS") fresh.open = old.open;
  likenAttributes(old, fresh);
  const kept = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  let place = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const found = wanted.id && kept.get(wanted.id);
    if (found && found !== place) old.insertBefore(found, place);
    const one = found || place;
    if (one && sameKind(one, wanted)) {
      morph(one, wanted);
      place = one.nextSibling;
    } else {
      old.insertBefore(wanted, place);
    }
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}
