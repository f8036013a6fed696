/** One thing that is wrong with one value. */
export interface Fault {
  field: string;
  rule: string;
  message: string;
}

/** The server said no. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details: Fault[] = [],
    /** Names the request in the server's log. */
    readonly requestId: string | null = null,
  ) {
    super(message);
  }

  /** The faults by field. */
  get faults(): Record<string, string> {
    const found: Record<string, string> = {};
    for (const fault of this.details) found[fault.field] ??= fault.message;
    return found;
  }
}

/** The server said nothing. */
export class ConnectionError extends Error {}

/** Return the error that an answer stands for. */
export function errorOf(status: number, text: string, requestId: string | null): ApiError {
  try {
    const { code, message, details } = JSON.parse(text).error;
    return new ApiError(status, code, message, details, requestId);
  } catch {
    // A proxy in between speaks another language.
    return new ApiError(status, "unknown", `The answer was ${status}`, [], requestId);
  }
}

/** Return what is wrong, a sentence each: the server joins the faults of a definition by "; ". */
export function sentences(error: unknown): string[] {
  if (error instanceof ApiError && error.details.length) {
    return error.details.map((fault) => fault.message);
  }
  const text = error instanceof Error ? error.message : String(error);
  return error instanceof ApiError ? text.split("; ") : [text];
}
