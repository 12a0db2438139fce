/* The status page: asks /penstock/status every two seconds and changes what has changed,
   in place, so that neither the focus nor a screen reader's position is lost. All text
   goes in as text, never as markup. */
"use strict";
(() => {
  const EVERY_MS = 2000, LEAST_MS = 1050, PATIENCE_MS = 10000, KEEP_MS = 300000;
  const $ = (id) => document.getElementById(id);

  /* ---- numbers people can read ---- */

  const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
  const tenth = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
  const count = (n) => whole.format(n);
  const rate = (n) => (n > 0 && n < 10 ? tenth : whole).format(n);
  function bytes(n) {
    const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let i = 0;
    while (n >= 1024 && i < units.length - 1) { n /= 1024; i++; }
    return [(i ? tenth : whole).format(n), units[i]];
  }
  function age(ms) {
    const s = ms / 1000;
    if (s < 60) return [tenth.format(s), "s"];
    if (s < 5400) return [whole.format(s / 60), "min"];
    return s < 172800 ? [tenth.format(s / 3600), "h"] : [tenth.format(s / 86400), "days"];
  }
  const many = (n, one) => `${count(n)} ${one}${n === 1 ? "" : "s"}`;

  /* ---- small helpers for elements ---- */

  function make(tag, attributes = {}, ...inside) {
    const svg = tag === "svg" || tag === "path";
    const e = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag)
      : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
    e.append(...inside);
    return e;
  }
  function text(e, value) { if (e.textContent !== value) e.textContent = value; }
  function attribute(e, name, value) {
    if (e.getAttribute(name) !== value) e.setAttribute(name, value);
  }
  /* Children of `parent` by key, in the order of `items`; made, kept and removed. */
  function keyed(parent, items, key, create, update) {
    const known = parent.known || (parent.known = new Map());
    const wanted = new Set(items.map(key));
    for (const [k, view] of known)
      if (!wanted.has(k)) { view.root.remove(); known.delete(k); }
    items.forEach((item, i) => {
      const k = key(item);
      if (!known.has(k)) known.set(k, create(item));
      const view = known.get(k);
      if (parent.children[i] !== view.root)
        parent.insertBefore(view.root, parent.children[i] || null);
      update(view, item);
    });
  }

  /* ---- the last minutes ---- */

  let history = new Map();
  try { /* a reload keeps the plots */
    history = new Map(JSON.parse(sessionStorage.getItem("penstock.history") || "[]"));
  } catch { /* none */ }
  addEventListener("pagehide", () => {
    try {
      sessionStorage.setItem("penstock.history", JSON.stringify([...history].slice(-600)));
    } catch { /* too much for it */ }
  });
  function remember(key, at, values) {
    const points = history.get(key) || [];
    points.push([at, ...values]);
    while (points.length && (points[0][0] < at - KEEP_MS || points.length > 400))
      points.shift();
    history.delete(key);
    history.set(key, points); /* the newest last */
    return points;
  }
  function forget(at) {
    for (const [key, points] of history)
      if (points[points.length - 1][0] < at - KEEP_MS) history.delete(key);
  }

  function plot(of) {
    const line = make("path"), under = make("path", { class: "under" });
    const root = make("svg", {
      class: "plot", viewBox: "0 0 100 30", preserveAspectRatio: "none",
      "aria-hidden": "true", "data-of": of,
    }, under, line);
    return { root, line, under };
  }
  /* Time runs to the right edge; a gap in the points is a gap in the line. */
  function draw(view, points, which, now) {
    const most = Math.max(1e-9, ...points.map((p) => p[which]));
    let line = "", under = "", start = 0, last = null;
    for (const p of points) {
      const x = (100 * (1 - (now - p[0]) / KEEP_MS)).toFixed(2);
      const y = (28 - 26 * p[which] / most).toFixed(2);
      const gap = last === null || p[0] - last.t > 4 * EVERY_MS;
      if (gap && last !== null) under += `L${last.x} 30L${start} 30Z`;
      if (gap) start = x;
      line += `${gap ? "M" : "L"}${x} ${y}`;
      under += gap ? `M${x} 30L${x} ${y}` : `L${x} ${y}`;
      last = { t: p[0], x };
    }
    if (last !== null) under += `L${last.x} 30L${start} 30Z`;
    view.line.setAttribute("d", line);
    view.under.setAttribute("d", under);
  }

  /* ---- rates out of counters ---- */

  const counters = new Map();
  function speed(key, value, at) {
    const old = counters.get(key);
    if (old && at <= old.at) return old.rate;
    const rate = old && value >= old.value ? (value - old.value) * 1000 / (at - old.at) : 0;
    counters.set(key, { value, at, rate });
    return rate;
  }

  /* ---- sums ---- */

  const sums = {};
  function sum(id, name, of) {
    if (sums[id]) return sums[id];
    const value = make("span"), unit = make("span", { class: "unit" });
    const view = of ? plot(of) : { root: make("p", { class: "note" }) };
    $("sums").append(make("div", { class: "sum" }, make("p", { class: "name" }, name),
      make("p", { class: "value" }, value, " ", unit), view.root));
    return sums[id] = { value, unit, plot: view };
  }
  function showSum(view, value, unit) { text(view.value, value); text(view.unit, unit); }

  function showSums(all, now) {
    const points = remember("all", now, [all.rate, all.lag, all.oldest]);
    const speedSum = sum("rate", "Throughput", "rate"), lagSum = sum("lag", "Lag", "lag");
    const ageSum = sum("age", "Oldest unflushed", "age"), landed = sum("landed", "Landed");
    showSum(speedSum, rate(all.rate), "records/s");
    showSum(lagSum, all.known ? count(all.lag) : "–", all.lag === 1 ? "record" : "records");
    showSum(ageSum, ...age(all.oldest));
    showSum(landed, ...bytes(all.bytes));
    text(landed.plot.root, `${many(all.objects, "object")}, ${many(all.rows, "row")}`);
    draw(speedSum.plot, points, 1, now);
    draw(lagSum.plot, points, 2, now);
    draw(ageSum.plot, points, 3, now);
  }

  /* ---- what is wrong, and what to do ---- */

  const ADVICE = [
    [/\b(403|401|AccessDenied|permission|not authori[sz]ed|SASL|credential)/i,
      "Check the credentials and what they may do; a key that changed needs a restart."],
    [/no such bucket|NoSuchBucket|bucket .*does not exist/i,
      "Make the bucket, or correct s3.bucket.name."],
    [/bootstrap\.servers|broker/i,
      "See whether Kafka runs and bootstrap.servers names it."],
    [/topic .*does not exist/i, "Make the topic, or correct topics."],
    [/connect|resolve|timed? ?out|refused|unreachable/i,
      "See whether the store runs and store.url names it."],
  ];
  const advice = (why) => (ADVICE.find(([pattern]) => pattern.test(why)) || [])[1] || "";

  function problemsOf(c) {
    const found = [], add = (key, title, why, todo) =>
      found.push({ key: `${c.name}/${key}`, title, why, todo });
    for (const t of c.tasks) {
      const id = `${c.name}-${t.id}`;
      if (t.state === "FAILED")
        add(`${t.id}/failed`, `Task ${id} has failed`, t.trace || "",
          `${advice(t.trace || "")} Correct the cause, then press Restart. What was not landed is still in Kafka.`);
      else if (t.trouble)
        add(`${t.id}/trouble`, `Task ${id} cannot go on`, t.trouble,
          `${advice(t.trouble)} It tries again by itself; nothing is dropped.`);
      if (t.skipped)
        add(`${t.id}/skipped`, `Task ${id} has passed over ${many(t.skipped, "record")}`,
          t.dead_letters ? `${many(t.dead_letters, "dead letter")} written.` : "",
          "The log names them, and the dead letter topic has them if one is set: errors.deadletterqueue.topic.name.");
    }
    return found;
  }
  function showProblems(list) {
    $("problems").hidden = list.length === 0;
    keyed($("problem-list"), list.slice(0, 50), (p) => p.key, () => {
      const title = make("strong"), why = make("span", { class: "why" });
      const todo = make("span", { class: "todo" });
      return { root: make("li", {}, title, why, todo), title, why, todo };
    }, (view, p) => {
      text(view.title, p.title); text(view.why, p.why); text(view.todo, p.todo.trim());
    });
  }

  /* ---- a connector ---- */

  const STATES = {
    RUNNING: "Running", PAUSED: "Paused", STOPPED: "Stopped", FAILED: "Failed",
    UNASSIGNED: "Starting", RESTARTING: "Restarting",
  };
  const stateText = (state) => STATES[state] || state;
  function pill() {
    const word = make("span");
    const root = make("span", { class: "pill" },
      make("span", { class: "dot", "aria-hidden": "true" }), word);
    return { root, word };
  }
  function showPill(view, state) {
    attribute(view.root, "data-state", state); text(view.word, stateText(state));
  }

  function table(caption, heads) {
    const body = make("tbody"), title = make("caption", {}, caption);
    const row = make("tr");
    for (const [name, wide] of heads)
      row.append(make("th", { scope: "col", ...(wide ? { class: "wide" } : {}) }, name));
    return { root: make("table", {}, title, make("thead", {}, row), body), body, title };
  }
  const cell = (wide) => make("td", wide ? { class: "wide" } : {});

  function taskRow() {
    const name = make("th", { scope: "row" }), state = pill();
    const cells = [cell(), cell(true), cell(), cell(true), cell(true)];
    return { root: make("tr", {}, name, make("td", {}, state.root), ...cells), name, state,
      cells };
  }
  function showTask(view, t, c) {
    text(view.name, `${c.name}-${t.id}`);
    showPill(view.state, t.state);
    const notes = t.errors || t.skipped
      ? `${many(t.errors, "error")}, ${count(t.skipped)} skipped` : "none";
    const values = [count(t.records), count(t.rows), count(t.objects),
      bytes(t.bytes).join(" "), notes];
    values.forEach((value, i) => text(view.cells[i], value));
    view.cells[4].classList.toggle("warned", Boolean(t.errors || t.skipped));
    view.cells[4].classList.toggle("quiet", !(t.errors || t.skipped));
  }

  function pairCell(of) {
    const n = make("span", { class: "n" }), view = plot(of);
    return { root: make("td", {}, make("div", { class: "pair" }, view.root, n)), n, view };
  }
  function partitionRow() {
    const name = make("th", { scope: "row" }), offset = cell(true);
    const pairs = ["rate", "lag", "age"].map(pairCell);
    return { root: make("tr", {}, name, ...pairs.map((p) => p.root), offset), name, pairs,
      offset };
  }
  function showPartition(view, p, now) {
    text(view.name, String(p.partition));
    text(view.pairs[0].n, `${rate(p.rate)}/s`);
    text(view.pairs[1].n, p.end < 0 ? "–" : count(p.lag));
    text(view.pairs[2].n, age(p.oldest_ms).join(" "));
    text(view.offset, count(p.position));
    view.pairs.forEach((pair, i) => draw(pair.view, p.points, i + 1, now));
  }

  function href(url, c) {
    const found = /^s3:\/\/([^/]+)\/(.*)$/s.exec(url);
    if (!found) return null;
    const path = `${found[1]}/${found[2]}`.split("/").map(encodeURIComponent).join("/");
    if (/^https?:\/\//i.test(c.store)) return `${c.store.replace(/\/+$/, "")}/${path}`;
    return c.store ? null : `https://s3.${c.region}.amazonaws.com/${path}`;
  }
  function objectItem() {
    const key = make("span", { class: "key" }), facts = make("span", { class: "facts" });
    return { root: make("li", {}, key, facts), key, facts, url: null };
  }
  function showObject(view, o, c, now) {
    if (view.url !== o.url) {
      const to = href(o.url, c), shown = o.url.replace(/^s3:\/\/[^/]+\//, "");
      view.key.replaceChildren(to
        ? make("a", { href: to, rel: "noreferrer noopener", target: "_blank" }, shown)
        : shown);
      view.url = o.url;
    }
    const ago = now - o.at_ms < 1500 ? "just now" : `${age(Math.max(0, now - o.at_ms)).join(" ")} ago`;
    const more = o.more ? ` · and ${many(o.more, "more object")}` : "";
    text(view.facts, `${many(o.rows, "row")} · ${bytes(o.bytes).join(" ")}${more} · ${ago}`);
  }

  function card(c) {
    const title = make("h2", { id: `c-${nextId++}` }, c.name), state = pill();
    const sub = make("p", { class: "sub" }), doing = make("div", { class: "doing" });
    const tasks = table("", [["Task"], ["State"], ["Records"], ["Rows", true], ["Objects"],
      ["Bytes", true], ["Errors", true]]);
    const topics = make("div"), objects = make("ol", { class: "objects" });
    const objectsTitle = make("h3", {}, "Last objects"), left = make("p", { class: "sub" });
    const view = { title, state, sub, tasks, topics, objects, objectsTitle, left };
    text(tasks.title, c.type === "sink" ? "Tasks" : "Tasks: records produced");
    view.toggle = make("button", { type: "button" });
    view.restart = make("button", { type: "button" }, "Restart");
    view.toggle.addEventListener("click", () => toggle(view));
    view.restart.addEventListener("click", () => restart(view));
    doing.append(view.toggle, view.restart);
    view.root = make("section", { class: "card", "aria-labelledby": title.id },
      make("div", { class: "top" }, title, state.root, doing), sub, tasks.root, topics, left,
      objectsTitle, objects);
    return view;
  }
  let nextId = 1;

  function partitionsOf(c, now) {
    const found = new Map();
    for (const t of c.tasks) {
      const at = t.told_ms;
      for (const p of t.partitions) {
        const key = `${c.name}/${p.topic}/${p.partition}`;
        p.rate = t.state === "RUNNING" ? speed(key, p.records, at) : 0;
        p.lag = p.end < 0 ? 0 : Math.max(0, p.end - p.position);
        p.points = remember(key, now, [p.rate, p.lag, p.oldest_ms]);
        if (!found.has(p.topic)) found.set(p.topic, []);
        found.get(p.topic).push(p);
      }
      t.rate = t.state !== "RUNNING" ? 0 : c.type === "sink"
        ? t.partitions.reduce((n, p) => n + p.rate, 0)
        : speed(`${c.name}/${t.id}`, t.records, now);
    }
    for (const list of found.values()) list.sort((a, b) => a.partition - b.partition);
    return [...found].sort((a, b) => (a[0] < b[0] ? -1 : 1));
  }
  function showTopics(view, topics, now) {
    keyed(view.topics, topics, (t) => t[0], (t) =>
      table(`Partitions of ${t[0]}`, [["No."], ["Records"], ["Lag"], ["Oldest unflushed"],
        ["Offset", true]]),
    (one, t) => keyed(one.body, t[1], (p) => p.partition, partitionRow,
      (row, p) => showPartition(row, p, now)));
  }

  function showConnector(view, c, now) {
    view.now = c;
    showPill(view.state, view.waits ? view.waits.shown : c.state);
    if (view.waits) text(view.state.word, view.waits.word);
    const store = c.store ? ` · ${c.store}` : "";
    text(view.sub, `${c.class}${store}${c.guarantee ? ` · ${c.guarantee}` : ""}`);
    const on = c.state === "RUNNING";
    text(view.toggle, on ? "Pause" : "Resume");
    attribute(view.toggle, "aria-label", `${on ? "Pause" : "Resume"} ${c.name}`);
    attribute(view.restart, "aria-label", `Restart ${c.name}`);
    for (const b of [view.toggle, view.restart])
      attribute(b, "aria-disabled", String(Boolean(view.waits)));
    keyed(view.tasks.body, c.tasks, (t) => t.id, taskRow, (row, t) => showTask(row, t, c));
    view.tasks.root.hidden = c.tasks.length === 0;
    showTopics(view, partitionsOf(c, now), now);
    const omitted = c.tasks.reduce((n, t) => n + t.assigned - t.partitions.length, 0);
    view.left.hidden = omitted === 0;
    text(view.left, `${many(omitted, "partition")} more are not shown.`);
    const objects = c.tasks.flatMap((t) => t.objects_landed)
      .sort((a, b) => b.at_ms - a.at_ms).slice(0, 10);
    view.objectsTitle.hidden = view.objects.hidden = objects.length === 0;
    keyed(view.objects, objects, (o) => `${o.url}@${o.at_ms}`, objectItem,
      (item, o) => showObject(item, o, c, now));
  }

  /* ---- what a click does ---- */

  function say(words) { $("said").textContent = words; }
  async function change(view, method, path, word, reached) {
    if (view.waits) return;
    const name = view.now.name;
    view.waits = { word, shown: "RESTARTING", reached, until: Date.now() + 30000 };
    showConnector(view, view.now, lastNow);
    try {
      const answer = await fetch(`${location.origin}/connectors/${encodeURIComponent(name)}/${path}`,
        { method, signal: AbortSignal.timeout(PATIENCE_MS) });
      if (!answer.ok) {
        const body = await answer.json().catch(() => ({}));
        throw new Error(body.message || `the answer is ${answer.status}`);
      }
    } catch (error) {
      view.waits = null;
      refuse(`${name}: ${error.message}`);
    }
    soon();
  }
  function refuse(words) {
    $("lost").hidden = false;
    text($("lost"), `That did not work: ${words}`);
    refusedAt = Date.now();
  }
  const allAre = (c, state) => c.state === state && c.tasks.every((t) => t.state === state);
  function toggle(view) {
    if (view.now.state === "RUNNING")
      change(view, "PUT", "pause", "Pausing…", (c) => allAre(c, "PAUSED"));
    else
      change(view, "PUT", "resume", "Resuming…", (c) => c.state === "RUNNING" &&
        c.tasks.every((t) => t.state !== "PAUSED"));
  }
  function restart(view) {
    const asked = Date.now();
    change(view, "POST", "restart?includeTasks=true", "Restarting…", (c) =>
      Date.now() - asked > 1500 && c.tasks.every((t) => t.state !== "RESTARTING"));
  }
  function settle(c) {
    const view = $("connectors").known && $("connectors").known.get(c.name);
    const waits = view && view.waits;
    if (!waits) return;
    if (waits.reached(c) || Date.now() > waits.until) view.waits = null;
  }

  /* ---- changes, said aloud ---- */

  let states = null;
  function announce(list) {
    const now = new Map();
    for (const c of list) {
      now.set(c.name, `${c.name} is ${stateText(c.state).toLowerCase()}`);
      for (const t of c.tasks)
        now.set(`${c.name}/${t.id}`,
          `Task ${c.name}-${t.id} is ${stateText(t.state).toLowerCase()}`);
    }
    const news = [...now].filter(([key, words]) => states && states.get(key) !== words);
    if (news.length) say(news.slice(0, 6).map((n) => n[1]).join(". "));
    states = now;
  }

  /* ---- live ---- */

  let lastNow = 0, heardAt = 0, refusedAt = 0, askedAt = 0, timer = 0, asking = false;

  function show(status) {
    const now = lastNow = status.now_ms, list = status.connectors;
    text($("about"), [`Version ${status.version}`, status.worker_id,
      status.cluster && `Kafka cluster ${status.cluster}`].filter(Boolean).join(" · "));
    list.forEach(settle);
    keyed($("connectors"), list, (c) => c.name, card, (view, c) => showConnector(view, c, now));
    $("empty").hidden = list.length > 0;
    const all = { rate: 0, lag: 0, oldest: 0, bytes: 0, objects: 0, rows: 0, known: false };
    for (const c of list)
      for (const t of c.tasks) {
        all.rate += t.rate;
        all.bytes += t.bytes; all.objects += t.objects; all.rows += t.rows;
        for (const p of t.partitions) {
          all.lag += p.lag; all.known ||= p.end >= 0;
          all.oldest = Math.max(all.oldest, p.oldest_ms);
        }
      }
    $("sums").hidden = list.length === 0;
    showSums(all, now);
    showProblems(list.flatMap(problemsOf));
    announce(list);
    forget(now);
    for (const key of counters.keys()) if (!history.has(key) && counters.size > 4000) counters.delete(key);
  }
  function online() {
    heardAt = Date.now();
    attribute($("link"), "data-state", "live");
    text($("link-text"), "Live");
    document.body.classList.remove("stale");
    if (Date.now() - refusedAt > 8000) $("lost").hidden = true;
  }
  function offline(why) {
    attribute($("link"), "data-state", "lost");
    text($("link-text"), "Disconnected");
    document.body.classList.toggle("stale", heardAt > 0);
    $("lost").hidden = false;
    const since = heardAt ? ` What you see is of ${new Date(heardAt).toLocaleTimeString()}.` : "";
    text($("lost"), `${why}${since} Trying again by itself.`);
  }
  async function ask() {
    if (asking) return;
    asking = true;
    askedAt = Date.now();
    try {
      const answer = await fetch(`${location.origin}/penstock/status`,
        { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(PATIENCE_MS) });
      if (answer.status === 401) throw new Error("The password is not accepted any more: reload this page.");
      if (!answer.ok) throw new Error(`penstockd answers ${answer.status}.`);
      const status = await answer.json();
      online();
      show(status);
    } catch (error) {
      const network = error instanceof TypeError || error.name === "TimeoutError";
      offline(network ? "penstockd does not answer." : error.message);
    }
    asking = false;
    plan(EVERY_MS);
  }
  function plan(ms) {
    clearTimeout(timer);
    const wait = Math.max(ms, askedAt + LEAST_MS - Date.now());
    if (!document.hidden) timer = setTimeout(ask, wait);
  }
  function soon() { plan(0); }
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer); else soon();
  });
  ask();
})();
