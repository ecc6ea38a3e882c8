// What pages need beyond htmx. No inline script anywhere: the Content-Security-Policy forbids it.
"use strict";
document.addEventListener("htmx:configRequest", (event) => {
  const token = document.querySelector("input[name=csrfmiddlewaretoken]");
  if (token) event.detail.headers["X-CSRFToken"] = token.value;
});
document.addEventListener("htmx:responseError", () => document.getElementById("broken")?.removeAttribute("hidden"));

// Upload with progress; without script the form is sent as it is.
const upload = document.getElementById("upload");
if (upload) {
  const drop = document.getElementById("drop"), files = document.getElementById("files"), list = document.getElementById("chosen");
  const show = () => list.replaceChildren(...[...files.files].map((file) => {
    const line = document.createElement("li");
    line.textContent = `${file.name} (${Math.ceil(file.size / 1024)} KiB)`;
    return line;
  }));
  for (const kind of ["dragenter", "dragover"]) drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.remove("over"); });
  drop.addEventListener("drop", (event) => { files.files = event.dataTransfer.files; show(); });
  files.addEventListener("change", show);
  upload.addEventListener("submit", (event) => {
    event.preventDefault();
    const request = new XMLHttpRequest(), bar = document.getElementById("progress"), button = upload.querySelector("button.primary");
    const problem = document.getElementById("problem"), broken = document.getElementById("broken");
    problem.hidden = broken.hidden = true;
    bar.hidden = false;
    button.disabled = true;
    const failed = (text) => {
      bar.hidden = true;
      button.disabled = false;
      if (text) problem.textContent = text;
      (text ? problem : broken).hidden = false;
    };
    const broke = async () => {  // to the sign-in where the session ended meanwhile
      const page = await fetch(location.href, { redirect: "manual" }).catch(() => null);
      if (page?.type === "opaqueredirect") location.reload(); else failed("");
    };
    request.upload.addEventListener("progress", (step) => { if (step.lengthComputable) bar.value = 100 * step.loaded / step.total; });
    request.addEventListener("load", () => {
      let answer = {};
      try { answer = JSON.parse(request.responseText); } catch { /* a page: the session ended, or the upload was too large */ }
      if (answer.next) location.assign(answer.next); else if (answer.problem) failed(answer.problem); else broke();
    });
    for (const kind of ["error", "abort", "timeout"]) request.addEventListener(kind, broke);
    request.open("POST", upload.action);
    request.setRequestHeader("X-Requested-With", "XMLHttpRequest");
    request.send(new FormData(upload));
  });
}

// "Mark all on this page" is of use only with script, so script shows it.
function marking() {
  const button = document.getElementById("mark-all");
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    const boxes = [...document.querySelectorAll("input[name=finding]")], all = boxes.every((box) => box.checked);
    for (const box of boxes) box.checked = !all;
  });
}
marking();
document.addEventListener("htmx:afterSettle", marking);
