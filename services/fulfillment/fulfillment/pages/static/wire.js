// Calls to the page's own host. A failure is a Problem whose code names a text.
import { main, texts } from "./dom.js";

const TIMEOUT_MS = 20_000;

export class Problem extends Error {
  constructor(code, retryAfter = 0) {
    super(code);
    this.retryAfter = retryAfter;
  }

  get words() {
    return texts["error_" + this.message] || texts.error_unavailable;
  }
}

export function get(path) {
  return call(path, {});
}

export function post(path, body, headers = {}) {
  return call(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

export async function text(path) {
  const response = await reach(path, {});
  if (!response.ok) throw new Problem("unavailable");
  return read(response.text());
}

async function call(path, options) {
  const response = await reach(`/d/${main.dataset.token}/${path}`, options);
  if (!response.ok) throw await problemOf(response);
  return read(response.json());
}

async function reach(path, options) {
  try {
    return await fetch(path, {
      ...options,
      credentials: "omit",
      cache: "no-store",
      referrerPolicy: "no-referrer",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    throw new Problem("network");
  }
}

async function read(body) {
  try {
    return await body;
  } catch (error) {
    throw new Problem(error instanceof SyntaxError ? "broken" : "network");
  }
}

async function problemOf(response) {
  const retryAfter = Number(response.headers.get("Retry-After")) || 0;
  try {
    return new Problem((await response.json()).code, retryAfter);
  } catch {
    return new Problem(response.status >= 500 ? "unavailable" : "broken", retryAfter);
  }
}
