const BROWSERS: [RegExp, string][] = [
  [/Edg\//, "Edge"],
  [/Firefox\//, "Firefox"],
  [/HeadlessChrome\/|Chrome\/|Chromium\//, "Chrome"],
  [/Safari\//, "Safari"],
  [/Dart\//, "Dart"],
  [/curl\//, "curl"],
  [/Python/, "Python"],
  [/node/i, "Node"],
];
const SYSTEMS: [RegExp, string][] = [
  [/Android/, "Android"],
  [/iPhone|iPad/, "iOS"],
  [/Windows/, "Windows"],
  [/Mac OS/, "macOS"],
  [/Linux|X11/, "Linux"],
];

/** Return in a few words what a User-Agent says, or the beginning of it. */
export function browserOf(agent: string | null): string {
  if (!agent) return "";
  const browser = BROWSERS.find(([pattern]) => pattern.test(agent))?.[1];
  const system = SYSTEMS.find(([pattern]) => pattern.test(agent))?.[1];
  return browser ? [browser, system].filter(Boolean).join(", ") : agent.slice(0, 40);
}
