/** Instead of a code, where the answer is no problem document. */
export const UNEXPECTED = "unexpected";

/** What a node refuses, as the API says it: RFC 9457 with a stable `code`. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly members: Record<string, unknown>;

  constructor(status: number, code: string, title: string, detail: string, members: Record<string, unknown> = {}) {
    super(detail || title);
    this.name = "Problem";
    this.status = status;
    this.code = code;
    this.title = title;
    this.members = members;
  }

  static async of(response: Response): Promise<Problem> {
    const text = await response.text().catch(() => "");
    try {
      const body = JSON.parse(text) as Record<string, unknown>;
      if (body && typeof body === "object" && typeof body.code === "string") {
        return new Problem(response.status, body.code, String(body.title ?? ""), String(body.detail ?? ""), body);
      }
    } catch {
      // No problem document: something in between has answered.
    }
    return new Problem(response.status, UNEXPECTED, `The answer was ${response.status}`, text.slice(0, 200));
  }
}

/** No node could be asked, or none answered in time. `key`: of the write whose outcome is not known. */
export class Unreachable extends Error {
  readonly key: string | null;

  constructor(message: string, key: string | null = null) {
    super(message);
    this.name = "Unreachable";
    this.key = key;
  }
}

/** One sentence for people. */
export function sayError(error: unknown): string {
  if (error instanceof Problem) return `${error.title}${error.message && error.message !== error.title ? `: ${error.message}` : ""}`;
  return error instanceof Error ? error.message : String(error);
}
