"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const tasks = data.tasks && data.tasks.row.length ? data.tasks : null;
  const tip = document.getElementById("tip");
  const LEFT = 84, RIGHT = 64, AXIS = 24;
  const view = { from: 0, to: data.span };
  const charts = [];
  let chosen = null;

  const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const byId = id => document.getElementById(id);

  function duration(seconds) {
    if (seconds < 1e-3) return (seconds * 1e6).toPrecision(3) + " µs";
    if (seconds < 1) return (seconds * 1e3).toPrecision(3) + " ms";
    return seconds.toPrecision(4) + " s";
  }

  function bytes(count) {
    for (const unit of ["B", "kiB", "MiB", "GiB", "TiB"]) {
      if (count < 1000 || unit === "TiB") return (unit === "B" ? count : +count.toPrecision(3)) + " " + unit;
      count /= 1024;
    }
  }

  // Round steps of an axis: 1, 2 or 5 times a power of ten; for bytes within a power of 1024.
  function steps(from, to, about, binary) {
    const rough = (to - from) / about;
    const unit = binary ? 1024 ** Math.floor(Math.log2(rough) / 10) : 1;
    const power = 10 ** Math.floor(Math.log10(rough / unit)) * unit;
    const step = [1, 2, 5, 10].map(m => m * power).find(s => s >= rough);
    const marks = [];
    for (let k = Math.ceil(from / step); k * step <= to + step * 1e-9; k++) marks.push(k * step);
    return { step, marks };
  }

  // A chart owns a canvas, and draws on it in pixels of the page whatever the screen's density is.
  function chart(id, height, draw, hover) {
    const canvas = byId(id);
    const self = {
      canvas, height, hover,
      x: time => LEFT + (time - view.from) / (view.to - view.from) * self.inner,
      time: x => view.from + (x - LEFT) / self.inner * (view.to - view.from),
      redraw() {
        const density = window.devicePixelRatio || 1;
        self.width = canvas.clientWidth;
        self.inner = Math.max(10, self.width - LEFT - RIGHT);
        canvas.width = self.width * density;
        canvas.height = height * density;
        canvas.style.height = height + "px";
        const pen = canvas.getContext("2d");
        pen.scale(density, density);
        pen.font = "11.5px system-ui, Helvetica, Arial, sans-serif";
        timeAxis(self, pen);
        pen.save();
        draw(self, pen);
        pen.restore();
      },
    };
    charts.push(self);
    interact(self);
    return self;
  }

  function timeAxis(self, pen) {
    const bottom = self.height - AXIS;
    const { step, marks } = steps(view.from, view.to, Math.max(2, self.inner / 110));
    const [scale, unit] = step >= 0.5 || (view.to >= 1 && step >= 1e-3) ? [1, "s"]
      : step >= 5e-4 ? [1e3, "ms"] : [1e6, "µs"];
    pen.strokeStyle = css("--line");
    pen.fillStyle = css("--soft");
    pen.textAlign = "center";
    for (const mark of marks) {
      const x = Math.round(self.x(mark)) + 0.5;
      pen.beginPath();
      pen.moveTo(x, 0);
      pen.lineTo(x, bottom + 4);
      pen.stroke();
      pen.fillText(+(mark * scale).toPrecision(6) + " " + unit, x, bottom + 17);
    }
  }

  function clipToPlot(self, pen) {
    pen.beginPath();
    pen.rect(LEFT, 0, self.inner, self.height - AXIS);
    pen.clip();
  }

  function interact(self) {
    const canvas = self.canvas;
    let drag = null;
    canvas.addEventListener("wheel", event => {
      event.preventDefault();
      const at = self.time(event.offsetX);
      const factor = Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.004);
      show(at - (at - view.from) * factor, at + (view.to - at) * factor);
    }, { passive: false });
    canvas.addEventListener("pointerdown", event => {
      drag = { x: event.offsetX, from: view.from, to: view.to };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointerup", () => { drag = null; });
    canvas.addEventListener("pointermove", event => {
      if (drag) {
        const shift = (drag.x - event.offsetX) / self.inner * (drag.to - drag.from);
        show(drag.from + shift, drag.to + shift);
        return;
      }
      const text = self.hover(event.offsetX, event.offsetY);
      tip.style.display = text ? "block" : "none";
      if (!text) return;
      tip.replaceChildren(...text);
      const right = event.clientX + 16 + tip.offsetWidth > innerWidth;
      tip.style.left = (right ? event.clientX - 12 - tip.offsetWidth : event.clientX + 16) + "px";
      tip.style.top = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8) + "px";
    });
    canvas.addEventListener("pointerleave", () => { tip.style.display = "none"; });
    canvas.addEventListener("dblclick", () => show(0, data.span));
  }

  let pending = false;
  function show(from, to) {
    const width = Math.min(Math.max(to - from, data.span * 1e-7, 1e-7), data.span);
    from = Math.max(0, Math.min(from, data.span - width));
    view.from = from;
    view.to = from + width;
    if (pending) return;
    pending = true;
    requestAnimationFrame(() => {
      pending = false;
      for (const one of charts) one.redraw();
    });
  }

  function lines(...texts) {
    return texts.filter(Boolean).map((text, index) => {
      const line = document.createElement(index ? "div" : "b");
      line.textContent = text;
      return line;
    });
  }

  // ---- task stream ----

  if (tasks) {
    const workers = tasks.workers.length;
    const lane = Math.max(5, Math.min(28, 420 / workers));
    const first = new Int32Array(workers + 1);  // where each worker's tasks begin
    for (const row of tasks.row) first[row + 1]++;
    for (let row = 0; row < workers; row++) first[row + 1] += first[row];
    const drawn = tasks.row.length;
    byId("stream-note").textContent =
      (drawn < tasks.total ? `the ${drawn.toLocaleString()} longest of ${tasks.total.toLocaleString()} tasks · ` : "")
      + "wheel to zoom, drag to move, double-click for the whole";

    // The first task of a row that ends after a time; rows are sorted and do not overlap.
    const find = (row, microseconds) => {
      let low = first[row], high = first[row + 1];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (tasks.start[middle] + tasks.length[middle] < microseconds) low = middle + 1;
        else high = middle;
      }
      return low;
    };

    chart("stream", Math.round(workers * lane) + AXIS, (self, pen) => {
      pen.textAlign = "right";
      pen.textBaseline = "middle";
      const every = Math.ceil(14 / lane);
      for (let row = 0; row < workers; row++) {
        if (row % every) continue;
        const label = tasks.labels[row];
        pen.fillStyle = css("--soft");
        pen.fillText(label.length > 11 ? "…" + label.slice(-10) : label, LEFT - 8, (row + 0.5) * lane);
      }
      clipToPlot(self, pen);
      const gap = lane > 9 ? 1.5 : 0.5;
      const end = view.to * 1e6;
      pen.textAlign = "left";
      for (let row = 0; row < workers; row++) {
        pen.globalAlpha = 1;
        pen.fillStyle = css("--lane");
        pen.globalCompositeOperation = "destination-over";
        pen.fillRect(LEFT, row * lane + gap, self.inner, lane - 2 * gap);
        pen.globalCompositeOperation = "source-over";
        let painted = -1;
        for (let i = find(row, view.from * 1e6); i < first[row + 1] && tasks.start[i] <= end; i++) {
          const left = self.x(tasks.start[i] / 1e6);
          const right = self.x((tasks.start[i] + tasks.length[i]) / 1e6);
          // Tasks much narrower than a pixel would only cover each other.
          if (right < painted + 0.4) continue;
          const wide = Math.max(right - left - (right - left > 4 ? 0.7 : 0), 0.8);
          painted = left + wide;
          const kind = data.kinds[tasks.kind[i]];
          pen.globalAlpha = chosen === null || chosen === tasks.kind[i] ? 1 : 0.13;
          pen.fillStyle = kind.color;
          pen.fillRect(left, row * lane + gap, wide, lane - 2 * gap);
          if (lane >= 14 && wide > 34) {
            const text = kind.name;
            const from = Math.max(left, LEFT) + 5;
            if (pen.measureText(text).width < left + wide - from - 4) {
              pen.fillStyle = "#ffffff";
              pen.fillText(text, from, (row + 0.5) * lane + 0.5);
            }
          }
        }
      }
    }, (x, y) => {
      const row = Math.floor(y / lane);
      const self = charts[0];
      if (row < 0 || row >= workers || x < LEFT) return null;
      const slack = (view.to - view.from) / self.inner * 1e6;
      const at = self.time(x) * 1e6;
      const i = find(row, at - slack);
      if (i >= first[row + 1] || tasks.start[i] > at + slack) return null;
      return lines(
        data.kinds[tasks.kind[i]].name,
        tasks.key[i],
        `${duration(tasks.length[i] / 1e6)}, from ${duration(tasks.start[i] / 1e6)}`,
        tasks.labels[row] === tasks.workers[row] ? `worker ${tasks.workers[row]}`
          : `worker ${tasks.labels[row]} (${tasks.workers[row]})`,
        tasks.bytes[i] === null ? "" : `result ${bytes(tasks.bytes[i])}`,
      );
    });
  } else {
    byId("stream-panel").remove();
    byId("table-panel").remove();
  }

  // ---- curves ----

  function curve(self, pen, points, top, color, filled, stepped) {
    const bottom = self.height - AXIS;
    const y = value => bottom - value / top * (bottom - 8);
    pen.beginPath();
    points.forEach(([time, value], index) => {
      if (!index) pen.moveTo(self.x(time), y(value));
      else {
        if (stepped) pen.lineTo(self.x(time), y(points[index - 1][1]));
        pen.lineTo(self.x(time), y(value));
      }
    });
    pen.strokeStyle = color;
    pen.lineWidth = 1.8;
    pen.lineJoin = "round";
    pen.stroke();
    if (!filled || !points.length) return;
    pen.lineTo(self.x(points[points.length - 1][0]), bottom);
    pen.lineTo(self.x(points[0][0]), bottom);
    pen.globalAlpha = 0.13;
    pen.fillStyle = color;
    pen.fill();
    pen.globalAlpha = 1;
  }

  function valueAxis(self, pen, top, write, right, binary) {
    const bottom = self.height - AXIS;
    pen.fillStyle = css("--soft");
    pen.textBaseline = "middle";
    pen.textAlign = right ? "left" : "right";
    for (const mark of steps(0, top, 3, binary).marks) {
      const y = bottom - mark / top * (bottom - 8);
      pen.fillText(write(mark), right ? self.width - RIGHT + 8 : LEFT - 8, y);
      if (right) continue;
      pen.strokeStyle = css("--line");
      pen.beginPath();
      pen.moveTo(LEFT, Math.round(y) + 0.5);
      pen.lineTo(self.width - RIGHT, Math.round(y) + 0.5);
      pen.stroke();
    }
  }

  const nearest = (points, time) =>
    points.reduce((best, point) => Math.abs(point[0] - time) < Math.abs(best[0] - time) ? point : best);
  const before = (points, time) => points.reduce((best, point) => point[0] <= time ? point : best);

  const samples = data.resources || [];
  if (samples.length) {
    const memory = samples.map(([time, mem]) => [time, mem * 1e6]);
    const cpu = samples.map(([time, , percent]) => [time, percent]);
    const mostMemory = Math.max(...memory.map(p => p[1])) * 1.1 || 1;
    const mostCpu = Math.max(100, ...cpu.map(p => p[1])) * 1.1;
    const self = chart("resources", 170, (self, pen) => {
      valueAxis(self, pen, mostMemory, bytes, false, true);
      valueAxis(self, pen, mostCpu, value => value + "%", true);
      clipToPlot(self, pen);
      curve(self, pen, memory, mostMemory, css("--memory"), true, false);
      curve(self, pen, cpu, mostCpu, css("--cpu"), false, false);
    }, x => {
      const point = nearest(samples, self.time(x));
      return lines(`at ${duration(point[0])}`, `${bytes(point[1] * 1e6)} of memory`, `${point[2].toFixed(0)}% of one core`);
    });
  } else byId("resources-panel").remove();

  const held = data.cache ? data.cache.steps : [];
  if (held.length) {
    byId("cache-note").textContent = data.cache.name;
    const most = Math.max(...held.map(p => p[1])) * 1.1 || 1;
    const self = chart("cache", 140, (self, pen) => {
      valueAxis(self, pen, most, value => +value.toPrecision(3), false);
      clipToPlot(self, pen);
      curve(self, pen, held, most, css("--held"), true, true);
    }, x => {
      const point = before(held, self.time(x));
      return lines(`at ${duration(self.time(x))}`, `${point[1]} ${data.cache.name}`);
    });
  } else byId("cache-panel").remove();

  // ---- table ----

  const rows = [...document.querySelectorAll("tbody tr")];
  for (const row of rows) row.addEventListener("click", () => {
    const kind = +row.dataset.kind;
    chosen = chosen === kind ? null : kind;
    for (const other of rows) other.classList.toggle("chosen", +other.dataset.kind === chosen);
    show(view.from, view.to);
  });
  document.querySelectorAll("th").forEach((head, column) => {
    let falling = false;
    head.addEventListener("click", () => {
      falling = !falling;
      const value = row => row.cells[column].dataset.value;
      rows.sort((a, b) => {
        const order = column ? value(a) - value(b) : value(a).localeCompare(value(b));
        return falling ? -order : order;
      });
      document.querySelector("tbody").append(...rows);
    });
  });

  const reset = byId("reset");
  if (reset) reset.addEventListener("click", () => show(0, data.span));
  addEventListener("resize", () => show(view.from, view.to));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => show(view.from, view.to));
  for (const one of charts) one.redraw();
})();
