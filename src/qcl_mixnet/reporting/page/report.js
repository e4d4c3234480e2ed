"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector) => document.querySelector(selector);

  function make(name, text, attributes = {}) {
    const element = document.createElement(name);
    element.textContent = text;
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  }

  // A number to sort by if the cell has one, else its text; what has no number is last either way.
  function startSorting(table) {
    const body = table.tBodies[0];
    const headers = all("thead th", table);
    const exact = new Set(all("[data-sort]", body).map((cell) => cell.cellIndex));
    const key = (row, place) => {
      const cell = row.cells[place];
      if (exact.has(place)) return cell.dataset.sort ? Number(cell.dataset.sort) : null;
      const number = Number(cell.textContent.replace("%", ""));
      if (Number.isFinite(number)) return number;
      return cell.textContent === "n/a" ? null : cell.textContent;
    };
    function compare(a, b) {
      return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
    }
    headers.forEach((header, place) => {
      const button = make("button", header.textContent, { type: "button" });
      header.replaceChildren(button);
      button.addEventListener("click", () => {
        const way = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
        const rows = [...body.rows].map((row) => ({ row, key: key(row, place) }));
        const known = rows.filter((r) => r.key !== null).sort((a, b) => way * compare(a.key, b.key));
        body.append(...[...known, ...rows.filter((r) => r.key === null)].map((r) => r.row));
        headers.forEach((other) => other.removeAttribute("aria-sort"));
        header.setAttribute("aria-sort", way === 1 ? "ascending" : "descending");
      });
    });
  }

  function startFilter() {
    const form = one("#filter");
    const board = all("#board tbody tr");
    const labels = new Map(all("#board tbody tr, #heat tbody tr").map((row) => [row.dataset.model, row.cells[0].textContent]));
    const apply = () => {
      const part = one("#filter-name").value.trim().toLowerCase();
      const families = new Set(all("input:checked", form).map((box) => box.value));
      for (const element of all("[data-model]")) {
        const label = labels.get(element.dataset.model) || "";
        const named = `${label} ${element.dataset.model}`.toLowerCase().includes(part);
        element.toggleAttribute("hidden", !(named && families.has(element.dataset.family)));
      }
      const shown = board.filter((row) => !row.hidden).length;
      one("#filter-count").textContent = `${shown} of ${board.length} models in the leaderboard`;
      makeReachable();
    };
    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(apply));
    form.hidden = false;
    apply();
  }

  // One score can be reached with the tab key, the others from there with arrow keys.
  const scores = () => all("#heat tbody tr").filter((row) => !row.hidden).map((row) => all("td", row));
  function makeReachable(chosen) {
    const grid = scores();
    all("#heat td").forEach((cell) => { cell.tabIndex = -1; });
    const first = chosen || (grid[0] && grid[0][0]);
    if (first) first.tabIndex = 0;
  }
  function startScores() {
    const table = one("#heat");
    table.setAttribute("role", "grid");
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    table.addEventListener("click", (event) => {
      const cell = event.target.closest("td");
      if (cell) showDetails(cell);
    });
    table.addEventListener("keydown", (event) => {
      const cell = event.target.closest("td");
      if (!cell) return;
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        showDetails(cell);
        return;
      }
      const grid = scores();
      const row = grid.findIndex((cells) => cells.includes(cell));
      const column = grid[row].indexOf(cell);
      const ends = { Home: [row, 0], End: [row, grid[row].length - 1] };
      const step = steps[event.key];
      const [i, j] = step ? [row + step[0], column + step[1]] : ends[event.key] || [];
      const next = grid[i] && grid[i][j];
      if (!next) return;
      event.preventDefault();
      makeReachable(next);
      next.focus();
    });
    const by = one("#colour-by");
    by.addEventListener("change", () => {
      table.classList.toggle("by-level", by.value === "level");
      table.classList.toggle("by-gap", by.value === "gap");
      all("[data-legend]").forEach((legend) => { legend.hidden = legend.dataset.legend !== by.value; });
    });
  }

  const data = JSON.parse(one("#details-data").textContent);
  function table(headers, rows) {
    const element = document.createElement("table");
    const top = element.createTHead().insertRow();
    headers.forEach((text, i) => top.append(make("th", text, i ? { scope: "col", class: "number" } : { scope: "col" })));
    const body = element.createTBody();
    for (const texts of rows) {
      const row = body.insertRow();
      texts.forEach((text, i) => row.append(i ? make("td", text, { class: "number" }) : make("th", text, { scope: "row" })));
    }
    const box = make("div", "", { class: "scroll", tabindex: "0" });
    box.append(element);
    return box;
  }
  function showDetails(cell) {
    const [dataset, model] = cell.dataset.cell.split(",").map(Number);
    const found = data.cells[dataset][model];
    one("#details-title").textContent = `${data.models[model]} on ${data.datasets[dataset]}`;
    const parts = [];
    if (found.status === "ok") {
      const splits = found.repeats === 1 ? "1 split" : `${found.repeats} splits, mean ± standard deviation`;
      parts.push(make("p", splits, { class: "note" }));
      parts.push(table(["Score", "Value"], data.metrics.map((name, i) => [name, found.values[i]])));
      if (found.classes.length) {
        parts.push(make("h3", "By class"));
        parts.push(table(["Class", "Test rows", "Precision", "Recall", "F1", "Average precision"], found.classes));
      }
    } else {
      parts.push(make("p", found.status === "failed" ? "This cell failed:" : "This cell was not run."));
      if (found.error) parts.push(make("p", found.error, { class: "error" }));
    }
    one("#details-body").replaceChildren(...parts);
    makeReachable(cell);
    one("#details").showModal();
  }

  function startPanels() {
    const choice = one("#panel-choice");
    if (!choice) return;
    const show = () => all("[data-panel]").forEach((panel) => { panel.hidden = panel.dataset.panel !== choice.value; });
    choice.addEventListener("change", show);
    show();
  }

  all("table[data-sortable]").forEach(startSorting);
  startScores();
  startFilter();
  startPanels();
  one("#details-close").addEventListener("click", () => one("#details").close());
  one("#details").addEventListener("click", (event) => {
    if (event.target === one("#details")) one("#details").close();
  });
  all(".with-script").forEach((element) => { element.hidden = false; });
})();
