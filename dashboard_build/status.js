// Asks the server how it is, and shows the answer. Asks again while somebody looks.

const EVERY_MS = 5_000;
const PATIENCE_MS = 4_000;

const health = document.getElementById("health");
const verdict = document.getElementById("verdict");
const detail = document.getElementById("detail");
const version = document.getElementById("version");

let next = 0;
let lastAnswer = null;

function time(moment) {
  return moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

// Only what changed: screen readers read out a verdict that is written again.
function show(state, sentence, more) {
  health.dataset.state = state;
  if (verdict.textContent !== sentence) verdict.textContent = sentence;
  detail.textContent = more;
}

async function ask() {
  const begun = performance.now();
  const response = await fetch("/health", {
    cache: "no-store",
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  const answer = await response.json();
  if (!response.ok || answer.status !== "ok") throw new Error(`it answered ${response.status}`);
  return { version: answer.version, milliseconds: Math.max(1, Math.round(performance.now() - begun)) };
}

async function look() {
  clearTimeout(next);
  try {
    const answer = await ask();
    lastAnswer = new Date();
    version.textContent = `version ${answer.version}`;
    show("well", "The server is well", `Answered in ${answer.milliseconds} ms at ${time(lastAnswer)}.`);
  } catch {
    const since = lastAnswer === null ? "It has not answered yet." : `Its last answer came at ${time(lastAnswer)}.`;
    show("ill", "The server does not answer", since);
  }
  if (!document.hidden) next = setTimeout(look, EVERY_MS);
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) look();
});
document.getElementById("curl").textContent = `curl '${location.origin}/api/notes?limit=5&count=true'`;
look();
