"use strict";
// The explorer: choices → the published rows of one table → chart, table, notes, download. All texts are inserted as text, never as markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const cube = document.getElementById("cube").content.textContent;
  const $ = (id) => document.getElementById(id);
  const choice = { lang: "sq", indicator: Object.keys(data.indicators)[0], table: "total", of: "", measure: "harmonised" };
  const at = () => data.languages.indexOf(choice.lang);
  const word = (name) => data.words[name][at()];
  const unique = (values) => [...new Set(values)];
  const rows = (...wanted) => data.rows.filter((row) => wanted.every((value, n) => value === null || row[n] === value));

  function readAddress() {
    for (const [name, value] of new URLSearchParams(location.hash.slice(1))) if (name in choice) choice[name] = value;
    if (!data.languages.includes(choice.lang)) choice.lang = "sq";
    if (!(choice.indicator in data.indicators)) choice.indicator = Object.keys(data.indicators)[0];
  }

  function options(id, values, text) {
    const select = $(id);
    if (!values.includes(choice[id])) choice[id] = values[values.length - 1] ?? "";
    select.replaceChildren(...values.map((value) => new Option(text(value), value, false, value === choice[id])));
    select.disabled = values.length < 2;
  }

  function choices() {
    options("indicator", Object.keys(data.indicators), (v) => data.indicators[v].title[at()]);
    const held = rows(choice.indicator, null, null);
    const measures = unique(held.map((row) => row[1])).sort().reverse();
    if (!measures.includes(choice.measure)) choice.measure = measures[0];
    options("measure", measures, (v) => data.measures[v][at()]);
    const tables = Object.keys(data.tables).filter((t) => held.some((row) => row[1] === choice.measure && row[2] === t));
    if (!tables.includes(choice.table)) choice.table = "total";
    options("table", tables, (v) => data.tables[v][at()]);
    const periods = unique(rows(choice.indicator, choice.measure, choice.table).map((row) => row[3])).sort();
    const all = choice.table === "total" ? ["*"] : periods;
    options("of", all, (v) => (v === "*" ? `${periods[0]}–${periods[periods.length - 1]}` : period(v)));
  }

  const period = (of) => (of.includes("/") ? `${of.replace("/", "–")} (${word("window")})` : of);

  const line = (row, name) => ({ name, value: row[5], note: row[6][at()] });

  function shown() {
    const over = choice.table === "total";
    const found = rows(choice.indicator, choice.measure, choice.table, over ? null : choice.of);
    if (!over) return found.map((row) => line(row, row[4][at()]));
    // every total is shown with the part of the leading offence group
    return found.sort((a, b) => a[3].localeCompare(b[3])).flatMap((row) => {
      const parts = rows(choice.indicator, choice.measure, "offence_group", row[3]);
      const part = parts.find((one) => one[7] === data.leading.code) ?? parts.find((one) => one[7] === "");
      const beside = part ? [line({ ...part, 5: part[7] ? part[5] : null }, `${row[3]} · ${data.leading.label[at()]}`)] : [];
      return [line(row, `${row[3]} · ${row[4][at()]}`), ...beside];
    });
  }

  function node(name, attributes, text) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function folded(text, most) {
    const lines = [""];
    for (const part of text.split(" ")) {
      if (lines.at(-1) && lines.at(-1).length + part.length >= most) lines.push(part);
      else lines[lines.length - 1] = `${lines.at(-1)} ${part}`.trim();
    }
    return lines;
  }

  function chart(found, title) {
    const label = 220, width = 620, line = 16;
    const high = Math.max(1, ...found.map((one) => one.value ?? 0));
    let y = 4;
    const parts = [];
    for (const one of found) {
      const lines = folded(one.name, 32);
      const tall = Math.max(lines.length * line + 8, 30);
      lines.forEach((text, n) => parts.push(node("text", { x: 0, y: y + 15 + n * line }, text)));
      const long = one.value === null ? 0 : (one.value / high) * (width - label - 50);
      parts.push(node("rect", { x: label, y: y + 2, width: long, height: 20 }));
      parts.push(node("text", { x: label + long + 6, y: y + 17 }, one.value ?? "–"));
      y += tall + 6;
    }
    const text = found.map((one) => `${one.name}: ${one.value ?? one.note}`).join("; ");
    const svg = node("svg", { viewBox: `0 0 ${width} ${y}`, role: "img", "aria-label": `${title}. ${text}` });
    svg.replaceChildren(...parts);
    $("chart").replaceChildren(svg);
  }

  function cell(tag, text, attributes = {}) {
    const element = document.createElement(tag);
    Object.assign(element, attributes);
    element.textContent = text;
    return element;
  }

  function table(found) {
    $("rows").replaceChildren(
      ...found.map((one) => {
        const row = document.createElement("tr");
        row.append(cell("th", one.name, { scope: "row" }), cell("td", one.value ?? "–", { className: "num" }));
        return row;
      }),
    );
    const notes = found.filter((one) => one.note).map((one) => [one.note, one.name]);
    const by = unique(notes.map(([note]) => note));
    const line = (note) => {
      const names = notes.filter(([other]) => other === note).map(([, name]) => name);
      return names.length === found.length ? note : `${names.join("; ")}: ${note}`;
    };
    $("notes").replaceChildren(...by.map((note) => cell("li", line(note))));
  }

  const quoted = (value) => `"${String(value ?? "").replaceAll('"', '""')}"`;
  const asFile = (text) => `data:text/csv;charset=utf-8,${encodeURIComponent(`\ufeff${text}`)}`;

  function draw() {
    choices();
    document.documentElement.lang = choice.lang;
    document.querySelectorAll("[data-word]").forEach((one) => (one.textContent = word(one.dataset.word)));
    document.title = word("title");
    $("known").textContent = word("as_known").replace("{day}", data.release);
    $("languages").setAttribute("aria-label", word("language"));
    $("languages").querySelectorAll("button").forEach((one) => one.setAttribute("aria-pressed", one.value === choice.lang));
    const found = shown();
    const head = [data.indicators[choice.indicator].title[at()], data.tables[choice.table][at()]];
    if (choice.table !== "total") head.push(period(choice.of));
    $("heading").textContent = head.join(" · ");
    $("definition").textContent = data.indicators[choice.indicator].definition[at()];
    chart(found, head.join(" · "));
    table(found);
    const lines = [["category", "figure", "note"].map((name) => quoted(word(name))), ...found.map((one) => [one.name, one.value, one.note].map(quoted))];
    $("download").href = asFile(lines.map((line) => line.join(",")).join("\r\n"));
    $("download-all").href = asFile(cube);
    history.replaceState(null, "", `#${new URLSearchParams(choice)}`);
  }

  readAddress();
  $("languages").append(...data.languages.map((lang) => cell("button", { sq: "Shqip", sr: "Srpski", en: "English" }[lang], { type: "button", value: lang, lang })));
  $("languages").addEventListener("click", (event) => {
    if (event.target.value) { choice.lang = event.target.value; draw(); }
  });
  for (const id of ["indicator", "table", "of", "measure"]) $(id).addEventListener("change", (event) => { choice[id] = event.target.value; draw(); });
  document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", () => { readAddress(); draw(); });
  draw();
})();
