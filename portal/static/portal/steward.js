// Keys of the steward's pages: an element with data-key is pressed by its key. They can be turned off.
"use strict";
const OFF = "harmonia-keys-off";
const toggle = document.querySelector("[data-keys]");
const off = () => localStorage.getItem(OFF) === "1";
const label = () => { if (toggle) { toggle.textContent = off() ? toggle.dataset.on : toggle.dataset.off; toggle.hidden = false; } };
label();
toggle?.addEventListener("click", () => { localStorage.setItem(OFF, off() ? "0" : "1"); label(); });
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && event.target.matches("input, textarea")) event.target.blur();
  if (off() || event.ctrlKey || event.altKey || event.metaKey || event.target.matches("input, textarea, select")) return;
  const found = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (!found || found.disabled) return;
  event.preventDefault();
  if (found.matches("input, textarea")) { found.closest("details")?.setAttribute("open", ""); found.focus(); found.select(); } else found.click();
});
for (const event of ["htmx:responseError", "htmx:sendError"])
  document.addEventListener(event, () => { const line = document.querySelector("[data-unavailable]"); if (line) line.textContent = line.dataset.unavailable; });
