// The live page. States come as server-sent events; all text is set as text, never as markup.
"use strict";

const SECONDS = 30;
const MOST_EVENTS = 20000;
const MOST_LINES = 200;
const ROW = 14;

const place = (id) => document.getElementById(id);
const events = [];
let state = null;
let received = 0;
let drawn = [];

function element(tag, text, name) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (name) made.className = name;
  return made;
}

function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  while (count >= 1024 && unit < units.length - 1) {
    count /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? count : count.toFixed(1)} ${units[unit]}`;
}

function duration(seconds) {
  if (seconds < 1e-3) return `${(seconds * 1e6).toFixed(0)} µs`;
  if (seconds < 1) return `${(seconds * 1e3).toFixed(1)} ms`;
  return `${seconds.toFixed(2)} s`;
}

// The same name has the same colour on every page and every day.
function colour(name) {
  let hash = 2166136261;
  for (let at = 0; at < name.length; at += 1) {
    hash = Math.imul(hash ^ name.charCodeAt(at), 16777619);
  }
  return `hsl(${(hash >>> 0) % 360} 55% 52%)`;
}

function bar(parts, whole) {
  const made = element("div", undefined, "bar");
  for (const [name, count] of parts) {
    if (count <= 0 || whole <= 0) continue;
    const part = element("span", undefined, name);
    part.style.width = `${(100 * count) / whole}%`;
    part.title = name;
    made.append(part);
  }
  return made;
}

function line(name, made, figure) {
  const whole = element("div", undefined, "line");
  const label = element("span", name, "name");
  label.title = name;
  whole.append(label, made, element("span", figure, "figure"));
  return whole;
}

function fill(target, lines, rest) {
  if (rest > 0) lines.push(element("p", `and ${rest} more`, "note"));
  target.replaceChildren(...lines);
}

function counts() {
  const total = Object.values(state.tasks).reduce((sum, count) => sum + count, 0);
  const threads = state.workers.reduce((sum, worker) => sum + worker.nthreads, 0);
  const shown = [
    ["workers", state.workers.length],
    ["threads", threads],
    ["clients", state.clients],
    ["tasks", total],
    ["processing", state.tasks.processing],
    ["queued", state.tasks.queued + state.tasks.waiting],
    ["in memory", state.tasks.memory],
    ["erred", state.tasks.erred],
    ["no worker fits", state.tasks["no-worker"]],
  ];
  place("counts").replaceChildren(
    ...shown.map(([name, count]) => {
      const made = element("div");
      made.append(element("dt", name), element("dd", count.toLocaleString("en")));
      return made;
    }),
  );
  place("address").textContent = state.address;
}

function progress() {
  const lines = state.prefixes.slice(0, MOST_LINES).map((prefix) => {
    const tasks = prefix.states;
    const waiting = tasks.waiting + tasks.queued + tasks["no-worker"];
    const whole = Object.values(tasks).reduce((sum, count) => sum + count, 0);
    const done = tasks.memory + tasks.released + tasks.erred;
    const made = bar(
      [
        ["memory", tasks.memory],
        ["released", tasks.released],
        ["erred", tasks.erred],
        ["processing", tasks.processing],
        ["waiting", waiting],
      ],
      whole,
    );
    return line(prefix.name, made, `${done} / ${whole}`);
  });
  fill(place("bars"), lines, state.prefixes.length - lines.length);
}

function memory() {
  const lines = state.workers.slice(0, MOST_LINES).map((worker) => {
    const { process, managed, spilled } = worker.memory;
    const used = Math.max(process, managed);
    const whole = Math.max(worker.memory_limit, used + spilled, 1);
    const made = bar(
      [
        ["memory", managed],
        ["unmanaged", Math.max(process - managed, 0)],
        ["spilled", spilled],
      ],
      whole,
    );
    const limit = worker.memory_limit ? ` / ${bytes(worker.memory_limit)}` : "";
    return line(worker.name || worker.address, made, bytes(used) + limit);
  });
  fill(place("memory"), lines, state.workers.length - lines.length);
}

function workers() {
  const rows = state.workers.slice(0, MOST_LINES).map((worker) => {
    const row = element("tr");
    const cells = [
      worker.name,
      worker.address,
      worker.status,
      worker.nthreads,
      worker.executing,
      worker.ready,
      worker.in_memory,
      `${worker.cpu.toFixed(0)} %`,
      bytes(worker.memory.process),
      worker.memory_limit ? bytes(worker.memory_limit) : "none",
      bytes(worker.transfers.incoming_bytes_total),
      bytes(worker.transfers.outgoing_bytes_total),
      `${bytes(worker.network.read)}/s, ${bytes(worker.network.written)}/s`,
      `${bytes(worker.disks.read)}/s, ${bytes(worker.disks.written)}/s`,
    ];
    row.append(...cells.map((cell) => element("td", cell)));
    return row;
  });
  place("rows").replaceChildren(...rows);
}

function stream() {
  const canvas = place("stream");
  const now = state.now + (performance.now() - received) / 1000;
  const from = now - SECONDS;
  while (events.length && events[0].stop < from) events.shift();
  const lanes = [...new Set(events.map((event) => `${event.worker} ${event.thread}`))].sort();
  const lane = new Map(lanes.map((name, index) => [name, index]));
  const width = canvas.clientWidth;
  const height = Math.max(lanes.length, 4) * ROW;
  const scale = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.style.height = `${height}px`;
  }
  const paint = canvas.getContext("2d");
  paint.setTransform(scale, 0, 0, scale, 0, 0);
  paint.clearRect(0, 0, width, height);
  drawn = [];
  for (const event of events) {
    const row = lane.get(`${event.worker} ${event.thread}`);
    const left = Math.max(((event.start - from) / SECONDS) * width, 0);
    const right = Math.min(((event.stop - from) / SECONDS) * width, width);
    const whole = event.action === "compute";
    const box = [left, row * ROW + (whole ? 1 : 4), Math.max(right - left, 0.7), whole ? ROW - 2 : ROW - 8];
    paint.fillStyle = { transfer: "#c0392b99", disk: "#e08e2b", erred: "#000" }[event.action] || colour(event.prefix);
    paint.fillRect(...box);
    drawn.push([box, event]);
  }
}

function point(moved) {
  const frame = place("stream").getBoundingClientRect();
  const x = moved.clientX - frame.left;
  const y = moved.clientY - frame.top;
  const found = drawn.findLast(([[left, top, width, height]]) => x >= left - 1 && x <= left + width + 1 && y >= top && y <= top + height);
  place("pointed").textContent = found
    ? `${found[1].key}: ${found[1].action} for ${duration(found[1].stop - found[1].start)} on ${found[1].worker}, thread ${found[1].thread}`
    : "";
}

function show() {
  counts();
  progress();
  memory();
  workers();
  stream();
}

function take(message) {
  state = JSON.parse(message.data);
  received = performance.now();
  events.push(...state.events);
  events.splice(0, Math.max(events.length - MOST_EVENTS, 0));
  document.body.dataset.states = String(Number(document.body.dataset.states || 0) + 1);
  if (!document.hidden) show();
}

function link(text, name) {
  place("link").textContent = text;
  place("link").className = name;
}

function listen() {
  // After the connection was lost the browser asks for the same address: only new events are wanted.
  const since = state ? `?since=${state.next_event}` : "";
  const source = new EventSource(`events${since}`);
  source.onmessage = take;
  source.onopen = () => link("live", "live");
  source.onerror = () => {
    link("connection lost", "lost");
    source.close();
    setTimeout(listen, 2000);
  };
}

const alone = /individual-([a-z-]+)$/.exec(location.pathname);
if (alone) {
  for (const section of document.querySelectorAll("main section")) {
    section.hidden = section.id !== alone[1];
  }
  document.querySelector("main").classList.add("single");
}
place("stream").addEventListener("mousemove", point);
document.addEventListener("visibilitychange", () => state && !document.hidden && show());
listen();
