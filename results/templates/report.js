const MOST_PANELS = 12;

// Filters: an element with data-dataset, data-method or data-preset, and a chart's point, shows while each agrees.
const AXES = ["dataset", "method", "preset"];
const chosen = () => Object.fromEntries(AXES.map((axis) => [axis, byId(`filter-${axis}`).value]));
const agrees = (values, wanted) => AXES.every((axis) => !wanted[axis] || values[axis] === undefined || values[axis] === wanted[axis]);

function applyFilters() {
  const wanted = chosen(), onlyRun = byId("only-run").checked;
  const empty = (one) => onlyRun && (one.dataset.done === "0" || (one.matches("table.results tr") && !one.querySelector("[data-value]")));
  for (const one of find("[data-preset]")) one.hidden = empty(one) || !agrees(one.dataset, wanted);
  for (const table of find("table.results")) hideColumns(table, onlyRun);
  for (const one of find("#tables section, #comparisons details")) one.hidden ||= !find("tbody tr", one).some((row) => !row.hidden);
  for (const one of find(".part")) one.hidden = onlyRun && find("[data-preset]", one).length > 0 && find("[data-preset]", one).every((inner) => inner.hidden);
  for (const chart of find("[data-chart]")) drawChart(chart, ofChosen(sections[chart.dataset.chart].chart, wanted), true);
  drawRuns();
  listClasses(wanted);
}

// The points of a chart that agree with what is chosen, in the lines and panels that still have one.
function ofChosen(panels, wanted) {
  const lines = (panel) => panel.lines.map((line) => ({ ...line, points: line.points.filter((point) => agrees(point, wanted)) })).filter((line) => line.points.length);
  return panels.map((panel) => ({ ...panel, lines: lines(panel) })).filter((panel) => panel.lines.length);
}

function hideColumns(table, onlyRun) {
  const rows = [...table.tBodies[0].rows].filter((row) => !row.hidden);
  [...table.tHead.rows[0].cells].forEach((head, at) => {
    const empty = onlyRun && !head.matches(".name") && !rows.some((row) => row.cells[at].dataset.value);
    for (const row of table.rows) row.cells[at].hidden = empty;
  });
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

// On a phone each row is a block, and its cells say what column they are of.
function nameCells(table) {
  const heads = find("th", table).map((head) => head.textContent);
  for (const row of table.tBodies[0].rows) [...row.cells].forEach((cell, at) => cell.setAttribute("data-head", heads[at]));
}

// The tip of a cell.
const tip = byId("tip");

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

// Learning curves.
const line = (label, name, x, y) => ({ label, name, thin: true, points: x.map((at, i) => ({ x: at, mean: y[i] })) });
const panel = (title, y, lines) => ({ title, x: "step", y, logY: true, joined: true, lines });

function drawRuns() {
  const wanted = chosen(), kept = runs.filter((run) => run.loss.length && agrees(run, wanted));
  const groups = groupBy(kept, placeOf), first = [...groups].slice(0, MOST_PANELS), drawn = first.reduce((sum, [, of]) => sum + of.length, 0);
  byId("curve-count").textContent = `${drawn} of ${kept.length} runs in ${first.length} of ${groups.size} pictures`;
  byId("run-curves").hidden = !kept.length;
  drawChart(byId("run-plot"), first.map(([title, of]) => panel(title, "training loss", [...groupBy(of, (run) => run.method)].map(meanLine))));
}

function meanLine([method, of]) {
  const step = of.map((run) => run.step).reduce((a, b) => (b.length < a.length ? b : a));
  const loss = step.map((_, i) => of.reduce((sum, run) => sum + run.loss[i], 0) / of.length);
  return line(labels[method] ?? method, [method, ...of.map((run) => `seed ${run.seed}, ${run.result}`)].join("\n"), step, loss);
}

const placeOf = (run) => `${run.shown}, ${run.size}/class, ${run.preset}`;

function groupBy(values, key) {
  const groups = new Map();
  for (const value of values) {
    const name = key(value);
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(value);
  }
  return groups;
}

function drawGenerator() {
  const one = generators[Number(byId("generator").value)];
  drawChart(byId("generator-plot"), [panel("", "loss", Object.entries(one.losses).map(([name, y]) => line(name, name, one.step, y)))]);
}

function switchTheme() {
  setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
}

function setTheme(name) {
  document.documentElement.dataset.theme = name;
}

setTheme(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
find(".sortable").forEach(nameCells);
if (generators.length) drawGenerator();
find("[data-filter], #only-run").forEach((one) => one.addEventListener("change", applyFilters));
find(".sortable th").forEach((header) => header.addEventListener("click", () => sortBy(header)));
find("[data-take]").forEach((button) => button.addEventListener("click", () => take(button)));
byId("classes-of")?.addEventListener("change", drawClasses);
byId("theme").addEventListener("click", switchTheme);
byId("generator")?.addEventListener("change", drawGenerator);
document.addEventListener("mouseover", ({ target }) => {
  const cell = target.closest("[data-cell]");
  if (cell) showTip(cell);
  else if (!target.closest("#tip")) tip.hidden = true;
});
document.addEventListener("focusin", ({ target }) => target.matches("[data-cell]") && showTip(target));
applyFilters();
document.documentElement.dataset.ready = "yes";
