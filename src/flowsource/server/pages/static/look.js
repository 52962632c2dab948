// Before the page is painted, so that it does not flash: the look that was chosen here last.
try {
  const look = localStorage.getItem("flowsource-look");
  if (look) document.documentElement.dataset.look = look;
} catch {
  // A browser that keeps nothing has the look of the system.
}
