// What a driver is: it reads what is there, plans (purely) what differs from the document, and the steps are run. The only thing
// the loop knows of tunnels, namespaces or, later, virtual machines.
import type { InstanceStatus, NodeDocument, ReceiptReport, RouterStatus, ScanReport } from '../protocol/document.ts';
import type { HelperStatus } from '../protocol/helper.ts';
import type { TakenReport } from '../protocol/services.ts';

/** One thing to do, with the reason an engineer would give. Plain data, so that a plan can be printed and tested. */
export type Step = {
  readonly reason: string;
  /** Bookkeeping or a repetition: not worth a line in the log of steps. */ readonly routine?: boolean;
} & (
  | { readonly kind: 'run'; readonly argv: readonly string[] }
  | {
      readonly kind: 'write';
      readonly path: string;
      readonly content: string;
      /** Of `content` (default: text). */ readonly encoding?: 'base64';
      readonly mode: number;
    }
  /** Starts a program that takes its time, in a session of its own, what it says in the file `output`, and does not wait for it. */
  | { readonly kind: 'launch'; readonly argv: readonly string[]; readonly output: string }
  | { readonly kind: 'remove'; readonly path: string }
  /** Starts a process that outlives the agent; it is up when its first child has made `up` in its own root. */
  | { readonly kind: 'start'; readonly argv: readonly string[]; readonly up: string; readonly console: string }
  /** Waits until a program's unix socket answers `question` with a text that holds `expects`. */
  | { readonly kind: 'await'; readonly socket: string; readonly question: string; readonly expects: string }
  /** Ends a process: asked first, then forced after `graceMs` (a second where it says nothing). */
  | { readonly kind: 'stop'; readonly pid: number; readonly graceMs?: number }
);

/** Steps of one target (an instance, the tunnels), in order: when one fails the rest of them is left for the next pass. */
export interface Work {
  /** What a failure is counted and retried by: an instance's id, a driver's name. */
  readonly target: string;
  /** The same for people. */
  readonly label: string;
  /** Whose error a failure is. */
  readonly blame?: Blame;
  readonly steps: readonly Step[];
}

export interface Plan {
  /** Independent of each other: run side by side. */
  readonly work: readonly Work[];
  /** What is not true yet and no step can hasten, naming the target and what it waits for. */
  readonly waits: readonly Wait[];
  /** What is there of the document's instances. */
  readonly instances: readonly InstanceStatus[];
  /** What is there of the networks this node routes for. Absent: nothing to say. */
  readonly routers?: readonly RouterStatus[];
  /** What became of announcements of the last minutes. */
  readonly receipts?: readonly ReceiptReport[];
  /** Answers to the document's questions to the wire. */
  readonly scans?: readonly ScanReport[];
  /** What there is of the document's gateway helpers. */
  readonly helpers?: readonly HelperStatus[];
  /** Passwords that guests have taken. */
  readonly taken?: readonly TakenReport[];
}

/**
 * Whose error it is where that is not the target's: an instance's, a router's or a helper's, by its id; or its own and nobody else's: it is
 * told, and the rest of the document counts as true.
 */
export type Blame = { readonly id: string } | 'itself';

export interface Wait {
  readonly target: string;
  readonly blame?: Blame;
  /** A sentence: what is waited for. One that stays the same for seconds is reported as an error. */
  readonly what: string;
}

export interface Driver {
  readonly name: string;
  /** Looks at the document and the world (I/O), and plans (a pure function of both, apart in each driver). */
  look(document: NodeDocument, now: number): Promise<Plan>;
}

/** A driver from its two halves. */
export function driver<Actual>(
  name: string,
  read: (document: NodeDocument) => Promise<Actual>,
  plan: (document: NodeDocument, actual: Actual, now: number) => Plan,
): Driver {
  return { name, look: async (document, now) => plan(document, await read(document), now) };
}
