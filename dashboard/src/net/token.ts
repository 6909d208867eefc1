/** The token lives as long as the tab. */
const KEY = "triarch.token";

export function token(): string | null {
  return sessionStorage.getItem(KEY);
}

export function keepToken(value: string | null): void {
  if (value === null) sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, value);
}

export function authorised(headers: Record<string, string> = {}, with_: string | null = token()): Record<string, string> {
  return with_ === null ? headers : { ...headers, Authorization: `Bearer ${with_}` };
}
