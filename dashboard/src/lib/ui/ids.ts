const ID = /^([a-z]+_)[0-9a-f-]+([0-9a-f]{8})$/;

/** Return an id with what lies in the middle left out; what is no id, as a name, stays whole. */
export function shortId(value: string): string {
  const found = ID.exec(value);
  return found ? `${found[1]}…${found[2]}` : value;
}
