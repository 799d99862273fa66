// What a driver of switches is: it opens a session with one switch, reads it, and carries out changes; what it would type is a
// pure function. The only thing the review knows of Open vSwitch, Linux bridges or NETCONF.
import type { SwitchActual, SwitchDocument, SwitchStep } from '../protocol/switch.ts';
import type { PortNames } from './check.ts';
import type { PortChange } from './plan.ts';

/** Every question to a switch is answered within this, in milliseconds, or counts as not answered. */
export const ANSWER_MS = 10_000;

/** Port names are checked before one reaches a command line or XML. */
export interface SwitchDriver extends PortNames {
  readonly name: SwitchDocument['driver'];
  /** The lines an engineer would type for this change, with reasons. Pure. Throws a sentence when the options make no sense. */
  commandsFor(document: SwitchDocument, change: PortChange): readonly SwitchStep[];
  /** Connects. Throws a {@link SwitchFault} that says what was tried and what came back. */
  open(document: SwitchDocument, signal: AbortSignal): Promise<SwitchSession>;
}

/** A conversation with one switch; closed after each review. */
export interface SwitchSession {
  /** Everything the switch says of itself: all its ports, also those we must not touch. */
  read(): Promise<SwitchActual>;
  /** Carries out the changes, together where the switch can. */
  run(changes: readonly PortChange[]): Promise<void>;
  /** Makes for good what `run` did and a second read found true. Absent where `run` has done so. */
  keep?(): Promise<void>;
  close(): Promise<void>;
}

/** A switch that cannot be spoken to, refuses, or lies. The message has no name of the switch: the review puts it in front. */
export class SwitchFault extends Error {
  /** Of a run: how many of the changes' steps it has carried out all the same. Undefined where nobody knows: it may have been all. */
  readonly ran: number | undefined;

  constructor(message: string, { ran, ...options }: ErrorOptions & { readonly ran?: number | undefined } = {}) {
    super(message, options);
    this.ran = ran;
  }
}
