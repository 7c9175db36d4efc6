// Beside the conversation: marks as they come, jumps, keys, and more of it as one scrolls.
// The conversation can be read, and walked by its links, without any of this.
"use strict";

(() => {
  const conversation = document.getElementById("conversation");
  if (!conversation) return;
  const root = document.documentElement;
  // What is shown here is not drawn anew by dashboard.js: it grows at its end instead.
  const live = root.dataset.live;
  delete root.dataset.live;

  const PARTS_MAX = 1500;
  const jump = document.getElementById("jump");
  const said = document.getElementById("said");
  const unfold = document.getElementById("unfold");
  const marks = { turns: [], calls: [], heals: [], colors: {}, at: new Map(), turnAt: new Map(), healed: new Map() };
  let current = null;
  // A jump that was asked for before the marks came, which know where it leads.
  let awaited = null;

  const parts = () => [...conversation.querySelectorAll(".part")];
  const timeOf = (part) => Number(part.dataset.t);

  function say(text) {
    said.textContent = text;
    clearTimeout(say.timer);
    say.timer = setTimeout(() => { said.textContent = ""; }, 2500);
  }

  // ---- Where one is

  function inView() {
    const top = jump.getBoundingClientRect().bottom + 4;
    const all = parts();
    let low = 0;
    let high = all.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (all[middle].getBoundingClientRect().bottom > top) high = middle;
      else low = middle + 1;
    }
    return all[low];
  }

  function isSeen(part) {
    const box = part.getBoundingClientRect();
    return box.bottom > 0 && box.top < innerHeight;
  }

  function here() {
    return current && current.isConnected && isSeen(current) ? current : inView();
  }

  function select(part, { open = false, focus = true, quiet = false } = {}) {
    if (!part) return;
    current?.classList.remove("current");
    current = part;
    part.classList.add("current");
    if (open) for (const one of part.querySelectorAll("details")) one.open = true;
    if (!focus) return;
    part.focus({ preventScroll: true });
    const box = part.getBoundingClientRect();
    const top = jump.getBoundingClientRect().bottom + 8;
    if (box.top < top || box.bottom > innerHeight - 40) part.scrollIntoView({ block: box.height > innerHeight * 0.6 ? "start" : "center" });
    if (!quiet) history.replaceState(null, "", addressOf(part));
  }

  const addressOf = (part) => part.querySelector(".time a").getAttribute("href");

  // ---- Marks

  const span = (name, text) => {
    const made = document.createElement("span");
    made.className = name;
    made.textContent = text;
    return made;
  };

  function markCall(part, call) {
    const [, phase, took, outcome, failedCheck] = call;
    part.querySelector(".took").textContent = took;
    if (outcome && !part.querySelector(".outcome").textContent) {
      part.querySelector(".outcome").textContent = outcome;
      part.classList.add(outcome);
    }
    if (failedCheck) part.querySelector(".outcome").title = "a check, and what it checked is wrong";
    part.dataset.phase = phase;
  }

  function markTurn(part, turn) {
    const place = part.querySelector(".turn");
    if (!place) return;
    const count = (number, one) => `${number.toLocaleString("en")} ${one}${number === 1 ? "" : "s"}`;
    const figures = [span(turn.expensive ? "costly" : "", turn.cost), span("", `${turn.active} active`)];
    if (turn.expensive) figures[0].title = "one of the turns that cost half of the session";
    if (turn.calls) figures.push(span("", count(turn.calls, "call")));
    if (turn.failed) figures.push(span("bad", `${turn.failed.toLocaleString("en")} failed`));
    place.replaceChildren(...figures.flatMap((one, at) => (at ? [" · ", one] : [one])));
  }

  // What is said before a call is of its phase; at the end of a turn, of the call before.
  function markPhases(all) {
    let phase = "";
    for (const part of [...all].reverse()) {
      if (part.classList.contains("prompt")) phase = "";
      else if (part.dataset.phase) phase = part.dataset.phase;
      part.dataset.within = phase;
    }
    phase = "";
    for (const part of all) {
      if (part.classList.contains("prompt")) phase = "";
      else if (part.dataset.within) phase = part.dataset.within;
      else part.dataset.within = phase;
    }
  }

  function markMargin(all) {
    markPhases(all);
    let before = "";
    let healing = null;
    for (const part of all) {
      const gutter = part.querySelector(".gutter");
      const within = part.dataset.within;
      gutter.replaceChildren();
      part.style.setProperty("--phase", within ? marks.colors[within] : "transparent");
      if (within && within !== before) gutter.append(span("phase", within));
      if (within || part.classList.contains("prompt")) before = within;
      const heal = marks.healed.get(part.dataset.id);
      part.classList.toggle("healing", Boolean(healing ?? heal));
      if (healing && part.dataset.id === healing.end) {
        if (healing.rerun) gutter.append(span("heal", healing.passed ? "healed" : "failed"));
        healing = null;
      }
      if (heal && heal.failed === part.dataset.id) {
        healing = heal;
        gutter.append(span("heal", "heal"));
      }
    }
  }

  function mark(within) {
    for (const part of within) {
      const call = part.dataset.id && marks.at.get(part.dataset.id);
      if (call && part.classList.contains("call")) markCall(part, call.mark);
      if (part.classList.contains("prompt")) {
        const turn = marks.turnAt.get(timeOf(part));
        if (turn) markTurn(part, turn);
      }
    }
    markMargin(parts());
  }

  const KINDS = {
    prompt: () => marks.turns.map((turn) => ({ id: turn.id, t: turn.at, order: turn.order })),
    expensive: () => marks.turns.filter((turn) => turn.expensive).map((turn) => ({ id: turn.id, t: turn.at, order: turn.order })),
    failure: () => marks.calls.filter((call) => call[3] === "failed").map((call) => ({ id: call[0], order: marks.at.get(call[0]).order })),
    heal: () => marks.heals.filter((heal) => marks.at.has(heal.failed)).map((heal) => ({ id: heal.failed, order: marks.at.get(heal.failed).order })),
  };
  const targets = {};

  function count() {
    for (const pair of jump.querySelectorAll(".pair")) {
      const all = targets[pair.dataset.jump] ?? [];
      pair.querySelector("b").textContent = all.length ? all.length.toLocaleString("en") : "";
      pair.classList.toggle("none", !all.length);
    }
  }

  function take(told) {
    Object.assign(marks, told);
    marks.calls.forEach((one, order) => marks.at.set(one[0], { mark: one, order }));
    for (const heal of marks.heals) {
      heal.end = heal.rerun || heal.edits[heal.edits.length - 1] || heal.failed;
      for (const id of [heal.end, ...heal.edits, heal.failed]) marks.healed.set(id, heal);
    }
    marks.turns.forEach((turn, number) => {
      // Before its first call, and behind the turn before, whether that has any or not.
      turn.order = turn.first_call - 1 + (number + 1) / (marks.turns.length + 1);
      marks.turnAt.set(turn.at, turn);
    });
    for (const [kind, made] of Object.entries(KINDS)) targets[kind] = made().sort((a, b) => a.order - b.order);
    mark(parts());
    count();
  }

  async function load() {
    const beganMs = performance.now();
    const answer = await fetch(conversation.dataset.marks);
    if (!answer.ok) throw new Error(answer.statusText);
    take(await answer.json());
    conversation.dataset.marked = "yes";
    if (awaited) {
      const { kind, step } = awaited;
      awaited = null;
      go(kind, step);
    }
    // Where loading takes long it rests longer, however often the session grows.
    load.againMs = performance.now() + 10 * (performance.now() - beganMs);
  }

  // ---- Jumps

  const isTarget = {
    prompt: (part) => part.classList.contains("prompt"),
    expensive: (part) => part.classList.contains("prompt") && Boolean(marks.turnAt.get(timeOf(part))?.expensive),
    failure: (part) => part.classList.contains("call") && part.classList.contains("failed"),
    heal: (part) => marks.healed.get(part.dataset.id)?.failed === part.dataset.id,
  };

  // How far one is in the order of all calls, by the nearest part that is known there.
  function orderAt(all, at, step) {
    for (let index = at; index >= 0 && index < all.length; index -= step) {
      const known = marks.at.get(all[index].dataset.id);
      if (known) return known.order;
      const turn = isTarget.prompt(all[index]) && marks.turnAt.get(timeOf(all[index]));
      if (turn) return turn.order;
    }
    for (let index = at; index >= 0 && index < all.length; index += step) {
      const known = marks.at.get(all[index].dataset.id);
      if (known) return known.order - 0.25 * step;
    }
    return step > 0 ? -1 : Infinity;
  }

  function go(kind, step) {
    const all = parts();
    const from = all.indexOf(here());
    const isOne = isTarget[kind];
    // The part in sight counts as one has not jumped to it.
    const first = all[from] === current || step < 0 ? from + step : from;
    for (let index = first; index >= 0 && index < all.length; index += step) {
      if (isOne(all[index])) return select(all[index], { open: kind !== "prompt" && kind !== "expensive" });
    }
    const edge = step > 0 ? all.length - 1 : 0;
    const order = orderAt(all, edge, step);
    const known = targets[kind] ?? [];
    const next = step > 0
      ? known.find((one) => one.order > order)
      : known.findLast((one) => one.order < order);
    if (next?.id) {
      location.assign(addressAt(next.id));
      return undefined;
    }
    const onward = document.querySelector(step > 0 ? "#later [data-onward]" : "#earlier [data-onward]");
    // Before the marks are there, and for a turn without an id, one looks window by window.
    if (onward && (next || conversation.dataset.marked !== "yes")) return extend(onward).then((grown) => grown && go(kind, step));
    if (conversation.dataset.marked !== "yes" && conversation.dataset.marks) {
      awaited = { kind, step };
      say("Marks are coming.");
      return undefined;
    }
    const names = { prompt: "prompt", failure: "failure", heal: "heal", expensive: "costly turn" };
    say(`No ${names[kind]} ${step > 0 ? "after" : "before"} this.`);
    return undefined;
  }

  function addressAt(place) {
    const address = new URL(conversation.dataset.page, location.href);
    address.searchParams.set("at", place);
    return address.href;
  }

  function move(step) {
    const all = parts();
    const from = all.indexOf(here());
    const next = all[all[from] === current || step < 0 ? from + step : from];
    if (next) return select(next);
    const onward = document.querySelector(step > 0 ? "#later [data-onward]" : "#earlier [data-onward]");
    return onward ? extend(onward).then((grown) => grown && move(step)) : undefined;
  }

  jump.addEventListener("click", (event) => {
    const button = event.target.closest("[data-step]");
    if (button) go(button.closest(".pair").dataset.jump, Number(button.dataset.step));
  });

  // ---- More of the conversation

  async function pageOf(address) {
    const answer = await fetch(address, { headers: { accept: "text/html" } });
    if (!answer.ok) throw new Error(answer.statusText);
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  }

  // Puts the window that a link leads to before or behind what is there.
  async function extend(link) {
    if (link.dataset.busy) return false;
    link.dataset.busy = "yes";
    const isLater = link.rel === "next";
    try {
      const fresh = await pageOf(link.href);
      const nav = link.closest(".onward");
      const known = new Set(parts().map((one) => one.dataset.place));
      const grown = [...fresh.querySelectorAll("#conversation > .part, #conversation > .day")].filter((one) => !known.has(one.dataset.place));
      const isOpen = unfold.getAttribute("aria-pressed") === "true";
      if (isOpen) for (const one of grown) for (const fold of one.querySelectorAll("details")) fold.open = true;
      const kept = isLater ? null : inView();
      const top = kept?.getBoundingClientRect().top;
      if (isLater) nav.before(...grown);
      else nav.after(...grown);
      nav.replaceChildren(...fresh.getElementById(nav.id).childNodes);
      tidy();
      mark(grown.filter((one) => one.classList.contains("part")));
      trim(isLater);
      if (kept) scrollBy(0, kept.getBoundingClientRect().top - top);
      watch();
      return grown.length > 0;
    } catch {
      say("More cannot be read now.");
      return false;
    } finally {
      delete link.dataset.busy;
    }
  }

  // A day is named where it begins, whichever windows met there.
  function tidy() {
    let day = "";
    for (const one of conversation.querySelectorAll(":scope > .day")) {
      if (one.textContent === day) one.remove();
      else day = one.textContent;
    }
  }

  // A page of a very long session holds its latest windows only, and a link to what went.
  function trim(isLater) {
    const all = parts();
    if (all.length <= PARTS_MAX) return;
    const gone = isLater ? all.slice(0, all.length - PARTS_MAX) : all.slice(PARTS_MAX);
    const kept = isLater ? all[all.length - PARTS_MAX] : all[PARTS_MAX - 1];
    const top = kept.getBoundingClientRect().top;
    for (const one of gone) {
      if (one.previousElementSibling?.classList.contains("day") && one !== kept) one.previousElementSibling.remove();
      one.remove();
    }
    const nav = document.getElementById(isLater ? "earlier" : "later");
    const link = document.createElement("a");
    link.href = `${addressAt((isLater ? gone[Math.max(0, gone.length - 100)] : gone[0]).dataset.place)}&walk=1`;
    link.rel = isLater ? "prev" : "next";
    link.dataset.onward = "";
    link.textContent = isLater ? "Earlier" : "Later";
    nav.replaceChildren(link);
    if (isLater) scrollBy(0, kept.getBoundingClientRect().top - top);
  }

  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) extend(entry.target);
  }, { rootMargin: "600px 0px" });

  function watch() {
    near.disconnect();
    for (const link of conversation.querySelectorAll("[data-onward]")) near.observe(link);
  }

  // A session that goes on grows at its end.
  async function grow() {
    const all = parts();
    const last = all[all.length - 1];
    if (!last || document.querySelector("#later [data-onward]")) return;
    const isAtEnd = innerHeight + scrollY > document.body.scrollHeight - 120;
    const fresh = await pageOf(`${addressAt(last.dataset.place)}&walk=1`);
    const nav = document.getElementById("later");
    const [same, ...grown] = fresh.querySelectorAll("#conversation > .part");
    if (same?.dataset.place !== last.dataset.place) return;
    const isOpen = last.querySelector("details")?.open;
    for (const one of same.querySelectorAll("details")) one.open = Boolean(isOpen);
    if (current === last) current = same;
    last.replaceWith(same);
    nav.before(...grown);
    nav.replaceChildren(...fresh.getElementById("later").childNodes);
    watch();
    mark(grown);
    if (performance.now() > (load.againMs ?? 0)) await load();
    if (isAtEnd && grown.length) scrollTo(0, document.body.scrollHeight);
  }

  function follow() {
    let shown = null;
    let isGrowing = false;
    const sign = document.getElementById("live");
    const stream = new EventSource(live);
    stream.addEventListener("version", async (event) => {
      sign.hidden = false;
      const isNew = shown !== null && event.data !== shown;
      shown = event.data;
      if (!isNew || isGrowing || document.hidden) return;
      isGrowing = true;
      await grow().catch(() => {});
      isGrowing = false;
    });
    stream.addEventListener("error", () => { sign.hidden = true; });
    addEventListener("pagehide", () => stream.close());
  }

  // ---- Folds, links, words that were searched for

  function unfoldAll() {
    const open = unfold.getAttribute("aria-pressed") !== "true";
    const kept = here();
    const top = kept?.getBoundingClientRect().top;
    for (const one of conversation.querySelectorAll(".part details")) one.open = open;
    unfold.setAttribute("aria-pressed", String(open));
    unfold.textContent = open ? "Fold all" : "Unfold all";
    if (kept) scrollBy(0, kept.getBoundingClientRect().top - top);
  }
  unfold.addEventListener("click", unfoldAll);

  async function copy(part) {
    const address = new URL(addressOf(part), location.href);
    select(part);
    try {
      await navigator.clipboard.writeText(address.href);
      say("The link is copied.");
    } catch {
      say("The link is in the address bar.");
    }
  }

  conversation.addEventListener("click", async (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    const link = event.target.closest(".time a, [data-whole], [data-onward]");
    if (!link) {
      const part = event.target.closest("summary")?.closest(".part");
      if (part) select(part, { focus: false });
      return;
    }
    event.preventDefault();
    const part = link.closest(".part");
    if (link.matches("[data-onward]")) {
      extend(link);
    } else if (link.matches("[data-whole]")) {
      const fresh = await pageOf(link.href).catch(() => null);
      const whole = fresh?.querySelector(".part");
      if (!whole) {
        location.assign(link.href);
        return;
      }
      part.querySelector(".body").replaceWith(whole.querySelector(".body"));
      mark([part]);
    } else {
      copy(part);
    }
  });

  function markWords(part, words) {
    if (!words) return;
    const wanted = words.toLowerCase();
    const walker = document.createTreeWalker(part.querySelector(".body"), NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) if (walker.currentNode.data.toLowerCase().includes(wanted)) found.push(walker.currentNode);
    for (const node of found) {
      let rest = node;
      for (let at = rest.data.toLowerCase().indexOf(wanted); at >= 0; at = rest.data.toLowerCase().indexOf(wanted)) {
        const hit = rest.splitText(at);
        rest = hit.splitText(words.length);
        const marked = document.createElement("mark");
        hit.replaceWith(marked);
        marked.append(hit);
      }
    }
  }

  // ---- Keys

  const help = document.getElementById("help");
  document.getElementById("keys").addEventListener("click", () => help.showModal());
  const KEYS = {
    j: () => move(1),
    k: () => move(-1),
    n: () => go("prompt", 1),
    p: () => go("prompt", -1),
    f: () => go("failure", 1),
    F: () => go("failure", -1),
    h: () => go("heal", 1),
    H: () => go("heal", -1),
    e: () => go("expensive", 1),
    E: () => go("expensive", -1),
    o: () => {
      const part = here();
      const folds = [...part.querySelectorAll("details")];
      const open = !folds.some((one) => one.open);
      for (const one of folds) one.open = open;
      select(part, { quiet: true });
    },
    x: unfoldAll,
    c: () => copy(here()),
    g: () => location.assign(conversation.dataset.page),
    G: () => location.assign(`${addressAt("end")}#later`),
    "?": () => help.showModal(),
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    if (event.target.closest?.("input, select, textarea")) return;
    const act = KEYS[event.key];
    if (!act || !parts().length) return;
    event.preventDefault();
    act();
  });

  // ---- At the beginning

  jump.hidden = false;
  count();
  const asked = conversation.querySelector(".part.here");
  if (asked) {
    markWords(asked, conversation.dataset.search);
    asked.scrollIntoView({ block: "start" });
    select(asked, { quiet: true });
  }
  load().catch(() => say("What turns cost cannot be read now.")).finally(count);
  watch();
  if (live && document.getElementById("later")) follow();
})();
