// Put into every page before its own scripts: what is measured is measured where it happens.

window.bench = {
  /** Resolves when what is in the document now has been drawn. */
  drawn: () =>
    new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(performance.now())))),

  /** Resolves to when something was drawn, in ms since the document began; fails after a minute. */
  async until(isSo) {
    const deadline = performance.now() + 60_000;
    while (!isSo()) {
      if (performance.now() > deadline) throw new Error(`not within a minute: ${isSo}`);
      await new Promise((again) => requestAnimationFrame(again));
    }
    return bench.drawn();
  },

  /** Does something in each frame for some seconds, and resolves to the ms between the frames. */
  frames: (seconds, step = () => undefined) =>
    new Promise((done) => {
      const times = [];
      const next = (at) => {
        times.push(at);
        if (at - times[0] >= 1_000 * seconds) {
          done(times.slice(1).map((time, index) => time - times[index]));
        } else {
          step();
          requestAnimationFrame(next);
        }
      };
      requestAnimationFrame(next);
    }),

  hasRow: (index) => !!document.querySelector(`tr[aria-rowindex="${index + 2}"] td.id`),
  hasRows: () => bench.hasRow(0),
};

// Of the first page too: it may be there before anybody can ask for it.
bench.firstRows = new Promise((done) => {
  document.addEventListener("DOMContentLoaded", () => bench.until(bench.hasRows).then(done, () => undefined));
});

bench.longTasks = [];
new PerformanceObserver((list) => {
  bench.longTasks.push(...list.getEntries().map((entry) => entry.duration));
}).observe({ type: "longtask" });
