(() => {
  const one = (selector) => document.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const data = JSON.parse(one("#card-data").textContent);
  const share = (a, b) => (b > 0 ? a / b : null);
  // As Python prints it: halfway between two numbers of three digits, which only odd sixteenths are,
  // it takes the even one, and toFixed would take the greater.
  function shown(value) {
    if (value === null) return "n/a";
    const isHalfway = Math.abs((value * 16) % 2) === 1;
    return (isHalfway ? 2 * Math.round(500 * value) / 1000 : value).toFixed(3);
  }
  const amount = (value) => value.toLocaleString("en", { maximumFractionDigits: 2 });

  all(".with-script").forEach((element) => { element.hidden = false; });
  if (!data.classes.length) return;
  const choice = one("#class-choice");
  const slider = one("#threshold");
  const exact = one("#threshold-number");
  const costs = [one("#cost-missed"), one("#cost-alarm")];

  const own = () => data.classes[Number(choice.value)];
  // A cost that is no number of 0 or more counts as nothing, and the field is marked.
  const cost = (input) => {
    const value = input.valueAsNumber;
    const good = Number.isFinite(value) && value >= 0;
    input.setAttribute("aria-invalid", String(!good));
    return good ? value : 0;
  };

  // One place after the last threshold raises no alert.
  function counts(place) {
    const c = own();
    const hits = place < c.hits.length ? c.hits[place] : 0;
    const alerts = place < c.alerts.length ? c.alerts[place] : 0;
    const missed = c.rows - hits;
    const false_alarms = alerts - hits;
    return { hits, alerts, missed, false_alarms, passed: data.rows - c.rows - false_alarms };
  }

  function total(n) { return n.missed * cost(costs[0]) + n.false_alarms * cost(costs[1]); }

  function write(name, text) { one(`#explorer [data-value="${name}"]`).textContent = text; }

  function mark(panel, kind, x, y) {
    const circle = panel.querySelector(`[data-kind="${kind}"] .here`);
    if (x === null || y === null) { circle.setAttribute("hidden", ""); return; }
    circle.setAttribute("cx", data.frame.left + x * data.frame.side);
    circle.setAttribute("cy", data.frame.top + (1 - y) * data.frame.side);
    circle.removeAttribute("hidden");
  }

  function show(keepsNumber = false) {
    const c = own();
    const place = Number(slider.value);
    const n = counts(place);
    const precision = share(n.hits, n.alerts);
    const recall = share(n.hits, c.rows);
    const f1 = share(2 * n.hits, n.alerts + c.rows);
    const none = place >= c.thresholds.length;
    const words = none ? "Above all probabilities: no alert" : `Alert from a probability of ${c.thresholds[place].toPrecision(4)} on`;
    slider.setAttribute("aria-valuetext", words);
    write("threshold", words);
    if (!keepsNumber) exact.value = none ? "" : c.thresholds[place].toPrecision(4);
    write("precision", shown(precision));
    write("recall", shown(recall));
    write("f1", shown(f1));
    write("alerts", (1000 * n.alerts / data.rows).toFixed(1));
    write("cost", amount(1000 * total(n) / data.rows));
    write("hits", n.hits);
    write("missed", n.missed);
    write("false-alarms", n.false_alarms);
    write("passed", n.passed);
    const panel = one(`[data-panel="${choice.value}"]`);
    mark(panel, "precision-recall", recall, precision);
    mark(panel, "roc", share(n.false_alarms, data.rows - c.rows), recall);
  }

  function startClass() {
    all("[data-panel]").forEach((panel) => { panel.hidden = panel.dataset.panel !== choice.value; });
    slider.max = own().thresholds.length;
    slider.value = own().start;
    show();
  }

  // The place whose value is the least; of equal ones that with the fewest alerts.
  function least(value) {
    let best = 0;
    for (let place = 1; place <= own().thresholds.length; place += 1) {
      if (value(counts(place)) <= value(counts(best))) best = place;
    }
    return best;
  }

  function move(place) { slider.value = place; show(); }

  choice.addEventListener("change", startClass);
  slider.addEventListener("input", () => show());
  exact.addEventListener("input", () => {
    if (!Number.isFinite(exact.valueAsNumber)) return;
    // A little less, since the field shows four digits of the threshold.
    const wanted = exact.valueAsNumber * (1 - 1e-4);
    const place = own().thresholds.findIndex((threshold) => threshold >= wanted);
    slider.value = place < 0 ? own().thresholds.length : place;
    show(true);
  });
  costs.forEach((input) => input.addEventListener("input", () => show()));
  one("#cheapest").addEventListener("click", () => move(least(total)));
  one("#best-f1").addEventListener("click", () => move(least((n) => -2 * n.hits / (n.alerts + own().rows || 1))));
  one("#as-decided").addEventListener("click", () => move(own().start));
  startClass();
})();
