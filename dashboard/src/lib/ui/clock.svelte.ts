// The time, for what says how long ago something was.

class Now {
  value = $state(Date.now());

  constructor() {
    setInterval(() => (this.value = Date.now()), 10_000);
  }
}

export const now = new Now();
