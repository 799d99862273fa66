// The one catalogue of errors: name, HTTP status (which is also the errorcode), and CloudStack's cserrorcode by exception class.

export const ERRORS = {
  /** Nobody we know, or not allowed to say it. */
  unauthenticated: { status: 401, cs: 9999 },
  methodNotAllowed: { status: 405, cs: 9999 },
  tooLarge: { status: 413, cs: 9999 },
  throttled: { status: 429, cs: 4545 },
  /** A parameter's form is broken: map syntax, encoding. */
  malformed: { status: 430, cs: 9999 },
  parameter: { status: 431, cs: 4350 },
  /** No such command, for this caller. */
  unsupported: { status: 432, cs: 9999 },
  internal: { status: 530, cs: 4250 },
  /** The same status as an internal error, for operations refused late: what stands in the way is named. */
  failed: { status: 530, cs: 4250 },
  permission: { status: 531, cs: 4365 },
  accountLimit: { status: 532, cs: 4280 },
  capacity: { status: 533, cs: 4255 },
  unavailable: { status: 534, cs: 4375 },
  limit: { status: 535, cs: 4370 },
  inUse: { status: 536, cs: 4395 },
  conflict: { status: 537, cs: 4360 },
} as const;

export type ErrorName = keyof typeof ERRORS;

/** A client's mistake: what cannot be done, why, and what would help. Nothing was changed. */
export class Refusal extends Error {
  readonly kind: ErrorName;
  constructor(kind: ErrorName, text: string) {
    super(text);
    this.kind = kind;
  }
  get status(): number {
    return ERRORS[this.kind].status;
  }
  get cserrorcode(): number {
    return ERRORS[this.kind].cs;
  }
}

/** `throw refuse('parameter', 'text')`. */
export function refuse(kind: ErrorName, text: string): Refusal {
  return new Refusal(kind, text);
}
