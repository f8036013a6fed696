// The page behind the link that the server prints: makes the first administrator.

const section = document.getElementById("setup");
const form = document.getElementById("setup-form");
const about = document.getElementById("setup-about");
const error = document.getElementById("setup-error");

// The token stands behind the #, which is sent to nobody. It must not stay in the history either.
const token = location.hash.slice(1);

async function setUp(email, password) {
  const response = await fetch("/api/auth/setup", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token, email, password }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error.message);
  return answer.user;
}

async function submit(event) {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  error.textContent = "";
  try {
    const user = await setUp(form.elements.email.value, form.elements.password.value);
    form.remove();
    about.textContent = `${user.email} is the administrator. The dashboard to sign in to is not built yet; the API is: POST /api/auth/login.`;
    about.setAttribute("role", "status");
  } catch (failure) {
    error.textContent = `${failure.message}.`;
    button.disabled = false;
  }
}

if (location.pathname.replace(/\/$/, "") === "/_/setup") {
  history.replaceState(null, "", location.pathname);
  section.hidden = false;
  if (token) {
    form.addEventListener("submit", submit);
    form.elements.email.focus();
  } else {
    form.remove();
    about.textContent = "This address needs the rest of the link: copy all of it, from the terminal or the log of the server.";
  }
}
