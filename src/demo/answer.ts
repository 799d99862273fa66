// Reads values out of API answers, which are plain JSON: each reader says what was missing instead of passing on undefined.

/** The object under `name`. */
export function field(answer: object | undefined, name: string): object {
  const value = (answer as Record<string, unknown> | undefined)?.[name];
  if (typeof value !== 'object' || value === null)
    throw new Error(`the answer has no ${name}: ${JSON.stringify(answer)}`);
  return value;
}

/** The list under `name`; an empty one when it is left out, as lists without rows are. */
export function rows(answer: object, name: string): object[] {
  const value = (answer as Record<string, unknown>)[name];
  return Array.isArray(value) ? (value as object[]) : [];
}

/** The text (or number, as text) under `name`. */
export function text(row: object | undefined, name: string): string {
  const value = (row as Record<string, unknown> | undefined)?.[name];
  if (typeof value !== 'string' && typeof value !== 'number') {
    throw new Error(`the answer has no ${name}: ${JSON.stringify(row)}`);
  }
  return `${value}`;
}
