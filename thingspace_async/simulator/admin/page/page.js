"use strict";

const $ = (id) => document.getElementById(id);
// A simulator with an admin token is opened as /__admin/#token=...
const token = new URLSearchParams(location.hash.slice(1)).get("token");
const headers = token ? { Authorization: `Bearer ${token}` } : {};
const requests = [];
const KEPT = 200;

async function ask(method, path, body) {
  const options = { method, headers: { ...headers } };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  const answer = await fetch(`/__admin${path}`, options);
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.errors.join("; "));
  return value;
}

/* Do something that a person asked for, say what went wrong, and show the new state. */
async function act(work) {
  try {
    await work();
    $("message").textContent = "";
  } catch (error) {
    $("message").textContent = error.message;
  }
  await refresh();
}

function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined && text !== null) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function row(...cells) {
  const made = element("tr");
  for (const cell of cells) {
    const box = element("td");
    box.append(...(Array.isArray(cell) ? cell : [cell ?? ""]));
    made.append(box);
  }
  return made;
}

function button(text, label, work) {
  const made = element("button", text);
  made.type = "button";
  made.setAttribute("aria-label", label);
  made.addEventListener("click", () => act(work));
  return made;
}

/* Rebuild a list only if it differs, so that the keyboard's focus and open details stay where they are. */
function show(box, key, make) {
  const state = JSON.stringify(key);
  if (box.dataset.state === state) return;
  const focused = box.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
  const open = new Set([...box.querySelectorAll("details[open]")].map((one) => one.dataset.key));
  box.dataset.state = state;
  box.replaceChildren(...make());
  for (const one of box.querySelectorAll("details")) one.open = open.has(one.dataset.key);
  if (focused) box.querySelector(`[aria-label="${CSS.escape(focused)}"]`)?.focus();
}

function details(key, summary, ...parts) {
  const made = element("details");
  made.dataset.key = key;
  made.append(element("summary", summary), ...parts);
  return made;
}

const pretty = (value) => element("pre", typeof value === "string" ? value : JSON.stringify(value, null, 2));
const time = (text) => (text ?? "").slice(11, 19);

function showRequests() {
  const wanted = $("request-filter").value.toLowerCase();
  const found = requests.filter((one) => `${one.operation} ${one.path} ${one.status}`.toLowerCase().includes(wanted));
  show($("requests"), [wanted, found.map((one) => one.number)], () =>
    found.map((one) => {
      const more = details(one.number, `${one.method} ${one.path}`);
      if (one.body !== null) more.append(element("small", "in"), pretty(one.body));
      if (one.answer !== null) more.append(element("small", "out"), pretty(one.answer));
      const status = element("span", one.status ?? "no answer", one.status && one.status < 400 ? "good" : "bad");
      const what = [element("strong", one.operation ?? "-"), more];
      if (one.reason) what.push(element("span", one.reason, "reason"));
      return row(time(one.at), what, [status]);
    }));
}

function showDeliveries(found) {
  show($("deliveries"), found, () =>
    found.toReversed().map((one) => {
      const attempts = one.attempts.map((each) =>
        element("div", `${time(each.at)} ${each.status ?? each.failure}`, each.status >= 200 && each.status < 300 ? "good" : "bad"));
      if (one.state === "waiting") attempts.push(element("div", `due ${time(one.due)}`));
      const again = button("Resend", `Resend delivery ${one.number}`, () => ask("POST", `/deliveries/${one.number}/resend`));
      return row([details(one.number, one.service, pretty(one.message))], one.state, attempts, [again]);
    }));
}

function showUsers(users, sessions, access) {
  show($("users"), [users, sessions.map((one) => [one.token, Math.ceil(one.seconds_left / 60)]), Math.ceil(access.seconds_left / 60)], () => {
    const list = element("ul", null, "plain");
    for (const one of users) {
      const line = element("li", `${one.username}: ${one.locked ? "locked" : `${one.refusals} wrong passwords in a row`}`);
      line.append(button(one.locked ? "Unlock" : "Lock", `Lock or unlock ${one.username}`, () =>
        ask("PATCH", `/users/${encodeURIComponent(one.username)}`, { locked: !one.locked })));
      list.append(line);
    }
    for (const one of sessions) list.append(element("li", `session ${one.token} of ${one.username}: ${left(one.seconds_left)}`));
    list.append(element("li", access.token ? `OAuth token ${access.token}: ${left(access.seconds_left)}` : "no OAuth token"));
    return [list];
  });
}

const left = (seconds) => (seconds ? `${Math.ceil(seconds / 60)} min left` : "expired");

function showFaults(faults, delivery) {
  show($("faults"), [faults, delivery.lost], () => [
    ...faults.map((one) => {
      const line = element("li", `${one.operation}: ${one.fault}, ${one.times === null ? "always" : `${one.times} more`}`);
      line.append(button("Remove", `Remove fault ${one.number}`, () => ask("DELETE", `/faults/${one.number}`)));
      return line;
    }),
    ...(delivery.lost ? [element("li", `callbacks: the next ${delivery.lost} attempts are lost`)] : []),
  ]);
}

function showDevices(found) {
  $("device-count").textContent = `${found.total.toLocaleString("en")} in all, 50 at most are shown`;
  show($("devices"), found.devices, () =>
    found.devices.map((one) =>
      row(one.imei, one.iccid, one.mdn, one.state, one.service_plan, one.group, one.texts.join("; "))));
}

async function refresh() {
  const filter = new URLSearchParams([...new FormData($("device-form"))].filter(([, value]) => value));
  filter.set("limit", 50);
  const paths = ["/clock", "/users", "/sessions", "/tokens", "/deliveries?limit=50", "/faults", "/delivery-faults"];
  try {
    const [clock, users, sessions, access, deliveries, faults, delivery, devices] =
      await Promise.all([...paths, `/devices?${filter}`].map((path) => ask("GET", path)));
    $("now").textContent = clock.now.slice(0, 19).replace("T", " ") + " UTC";
    $("now").dateTime = clock.now;
    $("speed").textContent = clock.speed === 1 ? "" : `× ${clock.speed}`;
    showUsers(users, sessions, access);
    showDeliveries(deliveries);
    showFaults(faults, delivery);
    showDevices(devices);
  } catch (error) {
    $("message").textContent = error.message;
  }
}

/* Server-sent events, read by fetch because EventSource cannot send the token. */
async function follow() {
  for (;;) {
    try {
      const answer = await fetch("/__admin/events", { headers });
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      requests.splice(0, requests.length, ...(await ask("GET", `/requests?limit=${KEPT}`)).reverse());
      showRequests();
      for (let rest = "", part; !(part = await reader.read()).done; ) {
        const events = (rest + part.value).split("\n\n");
        rest = events.pop();
        for (const event of events.filter((one) => one.startsWith("data: "))) {
          const seen = JSON.parse(event.slice(6));
          const place = requests.findIndex((one) => one.number === seen.number);
          if (place < 0) requests.unshift(seen);
          else requests[place] = seen;
        }
        requests.length = Math.min(requests.length, KEPT);
        showRequests();
      }
    } catch (error) {
      $("message").textContent = error.message;
    }
    await new Promise((done) => setTimeout(done, 1000));
  }
}

async function begin() {
  for (const one of document.querySelectorAll("[data-advance]")) {
    one.addEventListener("click", () => act(() => ask("POST", "/clock", { advance: Number(one.dataset.advance) })));
  }
  $("speed-choice").addEventListener("change", (event) => act(() => ask("POST", "/clock", { speed: Number(event.target.value) })));
  const buttons = {
    "expire-sessions": ["POST", "/sessions/expire"],
    "expire-token": ["POST", "/tokens/expire"],
    "deliver-now": ["POST", "/deliveries/now"],
    "add-device": ["POST", "/devices"],
  };
  for (const [id, [method, path]] of Object.entries(buttons)) {
    $(id).addEventListener("click", () => act(() => ask(method, path)));
  }
  for (const [id, method, path] of [["clear-requests", "DELETE", "/requests"], ["reset", "POST", "/reset"]]) {
    $(id).addEventListener("click", () => act(async () => {
      if (id === "reset" && !confirm("Begin anew: devices, users and clock as at the start?")) return;
      await ask(method, path);
      requests.length = 0;
      showRequests();
    }));
  }
  $("request-filter").addEventListener("input", showRequests);
  $("device-form").addEventListener("submit", (event) => { event.preventDefault(); act(async () => {}); });
  $("lost-form").addEventListener("submit", (event) => {
    event.preventDefault();
    act(() => ask("PATCH", "/delivery-faults", { lost: Number($("lost").value) }));
  });
  $("fault-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const fault = {};
    for (const [name, value] of new FormData(event.target)) {
      if (value !== "") fault[name] = ["operation", "kind"].includes(name) ? value : Number(value);
    }
    act(() => ask("POST", "/faults", fault));
  });
  const described = await ask("GET", "/openapi.json");
  const fault = described.paths["/__admin/faults"].post.requestBody.content["application/json"].schema.properties;
  for (const kind of fault.kind.enum) document.querySelector("[name=kind]").append(element("option", kind));
  for (const name of described["x-operations"]) $("operations").append(Object.assign(element("option"), { value: name }));
  follow();
  await refresh();
  setInterval(refresh, 1000);
}

begin().catch((error) => { $("message").textContent = error.message; });
