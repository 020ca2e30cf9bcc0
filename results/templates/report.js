"use strict";
// What comes from records is only ever set as textContent, as an attribute value, or as data of a plot.
const find = (selector, within = document) => [...within.querySelectorAll(selector)];
const byId = (id) => document.getElementById(id);
const read = (id) => JSON.parse(byId(id).textContent);
const cells = read("cells"), runs = read("runs"), generators = read("generators");
const MOST = 40;
byId("most-curves").textContent = MOST;

function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// Filters: an element with data-dataset, data-method or data-preset shows while each agrees with what is chosen.
const AXES = ["dataset", "method", "preset"];
const chosen = () => Object.fromEntries(AXES.map((axis) => [axis, byId(`filter-${axis}`).value]));
const agrees = (values, wanted) => AXES.every((axis) => !wanted[axis] || values[axis] === undefined || values[axis] === wanted[axis]);

function applyFilters() {
  const wanted = chosen(), onlyRun = byId("only-run").checked;
  for (const one of find("[data-preset]")) {
    const empty = onlyRun && one.matches("table.results tr") && !one.querySelector("[data-value]");
    one.hidden = empty || !agrees(one.dataset, wanted);
  }
  drawRuns();
}

// Sorting: by data-value, then as numbers where all are numbers, then as text; empty cells last.
function valueOf(cell) {
  return cell.dataset.value ?? (cell.classList.contains("cell") ? "" : cell.textContent.trim());
}

function sortBy(header) {
  const table = header.closest("table"), at = header.cellIndex, body = table.tBodies[0];
  const up = header.getAttribute("aria-sort") !== "ascending";
  find("th", table).forEach((other) => other.removeAttribute("aria-sort"));
  header.setAttribute("aria-sort", up ? "ascending" : "descending");
  const rows = [...body.rows].map((row) => [valueOf(row.cells[at]), row]);
  const numeric = rows.every(([value]) => value === "" || !Number.isNaN(Number(value)));
  const order = (a, b) => (numeric ? Number(a) - Number(b) : a.localeCompare(b)) * (up ? 1 : -1);
  rows.sort(([a], [b]) => (a === "") - (b === "") || order(a, b));
  body.append(...rows.map(([, row]) => row));
}

// The tip of a cell.
const tip = byId("tip");
const number = (value, digits) => (value === null ? "–" : value.toFixed(digits));

function fillTip(cell) {
  const spread = (mean, std) => number(mean, 2) + (std === null ? "" : ` ± ${std.toFixed(2)}`);
  const lines = [`${cell.state}; n = ${cell.n} of ${cell.asked} seeds`, `ours ${spread(cell.ours, cell.std)}`];
  if (cell.published !== null) lines.push(`published ${spread(cell.published, cell.published_std)}; z ${number(cell.z, 2)}; p ${number(cell.p, 4)}; p of means within ${cell.margin} points ${number(cell.p_equal, 4)}`);
  tip.replaceChildren(...lines.map((line) => element("p", line)));
  const seeds = element("p", "seeds: ");
  for (const [seed, state] of Object.entries(cell.seeds)) {
    const link = cell.links[seed];
    seeds.append(link ? element("a", `${seed} ${state}`, { href: link }) : element("span", `${seed} ${state}`), " ");
  }
  const command = element("p", "");
  command.append(element("code", cell.command));
  tip.append(seeds, command);
}

function showTip(target) {
  fillTip(cells[Number(target.dataset.cell)]);
  tip.hidden = false;
  const box = target.getBoundingClientRect();
  const left = Math.min(box.left, document.documentElement.clientWidth - tip.offsetWidth - 12);
  tip.style.left = `${Math.max(left, 4) + window.scrollX}px`;
  tip.style.top = `${box.bottom + window.scrollY - 1}px`;
}

// Plots.
const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"];
const styles = () => getComputedStyle(document.documentElement);

function plot(id, traces, yTitle) {
  const front = styles().getPropertyValue("--front"), line = styles().getPropertyValue("--line");
  const axis = (text) => ({ title: { text }, gridcolor: line, zerolinecolor: line });
  const layout = { xaxis: axis("step"), yaxis: { ...axis(yTitle), type: "log" }, colorway: COLOURS, showlegend: true,
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: front }, margin: { t: 10 } };
  Plotly.react(id, traces, layout, { displaylogo: false, responsive: true });
}

// Plotly reads a few HTML tags in names; entities keep them text.
const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

function drawRuns() {
  const wanted = chosen(), kept = runs.filter((run) => run.loss.length && agrees(run, wanted));
  byId("curve-count").textContent = `${Math.min(kept.length, MOST)} of ${kept.length}`;
  const traces = kept.slice(0, MOST).map((run) => ({ x: run.step, y: run.loss, mode: "lines",
    name: plain(`${run.method} ${run.shown} n=${run.size} seed ${run.seed}, ${run.result}`) }));
  plot("run-plot", traces, "training loss");
}

function drawGenerator() {
  const one = generators[Number(byId("generator").value)];
  const traces = Object.entries(one.losses).map(([name, y]) => ({ x: one.step, y, mode: "lines", name: plain(name) }));
  plot("generator-plot", traces, "loss");
}

function switchTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme || (dark ? "dark" : "light");
  setTheme(now === "dark" ? "light" : "dark");
  drawAll();
}

function setTheme(name) {
  document.documentElement.dataset.theme = name;
}

function drawAll() {
  drawRuns();
  if (generators.length) drawGenerator();
}

setTheme(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
find("[data-filter], #only-run").forEach((one) => one.addEventListener("change", applyFilters));
find(".sortable th").forEach((header) => header.addEventListener("click", () => sortBy(header)));
byId("theme").addEventListener("click", switchTheme);
byId("generator")?.addEventListener("change", drawGenerator);
document.addEventListener("mouseover", ({ target }) => {
  const cell = target.closest("[data-cell]");
  if (cell) showTip(cell);
  else if (!target.closest("#tip")) tip.hidden = true;
});
document.addEventListener("focusin", ({ target }) => target.matches("[data-cell]") && showTip(target));
drawAll();
document.documentElement.dataset.ready = "yes";
