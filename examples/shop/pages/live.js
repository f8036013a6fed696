// Reads the products once, then hears of each change; after a break it asks for what it has missed.

const list = document.querySelector("#products");
const state = document.querySelector("#state");
const products = new Map();
let position; // number of the last event that was heard of

function show(changed) {
  const sorted = [...products.values()].sort((a, b) => a.name.localeCompare(b.name));
  list.replaceChildren(
    ...sorted.map((product) => {
      const row = document.createElement("li");
      row.classList.toggle("changed", product.id === changed);
      row.classList.toggle("out", product.stock === 0);
      const name = document.createElement("span");
      name.textContent = product.name;
      const stock = document.createElement("strong");
      stock.textContent = product.stock;
      row.append(name, stock);
      return row;
    }),
  );
}

async function read() {
  const answer = await fetch("/api/products");
  products.clear();
  for (const product of (await answer.json()).items) products.set(product.id, product);
  show();
}

function hear({ type, payload }) {
  if (type === "products.deleted") products.delete(payload.id);
  else products.set(payload.id, payload);
  show(payload.id);
}

function connect() {
  const socket = new WebSocket(`${location.origin.replace("http", "ws")}/api/realtime`);
  const since = position === undefined ? {} : { since: position };
  socket.onopen = () => {
    socket.send(JSON.stringify({ action: "subscribe", channel: "products.*", ...since }));
  };
  socket.onmessage = async ({ data }) => {
    const message = JSON.parse(data);
    position = message.seq ?? position;
    if (message.type === "event") hear(message.event);
    // Read after the subscription, so that nothing falls in between; or anew, when too much was missed.
    const isFirst = message.type === "subscribed" && since.since === undefined;
    if (isFirst || message.type === "resync") await read();
    if (isFirst || message.type === "replayed" || message.type === "resync") state.textContent = "live";
  };
  socket.onclose = () => {
    state.textContent = "connecting";
    setTimeout(connect, 1000);
  };
}

connect();
